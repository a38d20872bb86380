"""Pretraining on categories of boxes from many data sets."""
