"""Whether picks fit the images: contrast at the picks, as they are and in every other frame."""
