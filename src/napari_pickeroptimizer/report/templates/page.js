(function () {
  "use strict";
  // tables: a click on a heading sorts all rows by it, again for the other way
  document.querySelectorAll("table.sortable").forEach(function (table) {
    var first = Number(table.dataset.first);
    var bodies = Array.from(table.tBodies);
    var heads = Array.from(table.tHead.rows[0].cells);
    heads.forEach(function (head, column) {
      var button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", function () {
        var down = head.getAttribute("aria-sort") !== "descending" && head.classList.contains("number")
          || head.getAttribute("aria-sort") === "ascending";
        var rows = bodies.flatMap(function (body) { return Array.from(body.rows); });
        var keyed = rows.map(function (row) {
          var text = row.cells[column].dataset.v;
          var value = Number(text);
          return { row: row, key: head.classList.contains("number") ? (text === "" || isNaN(value) ? null : value) : text };
        });
        keyed.sort(function (a, b) {
          if (a.key === null || b.key === null) return (a.key === null) - (b.key === null);
          var order = typeof a.key === "number" ? a.key - b.key
            : a.key.localeCompare(b.key, undefined, { numeric: true });
          return down ? -order : order;
        });
        heads.forEach(function (other) { other.removeAttribute("aria-sort"); });
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        keyed.forEach(function (item, i) {
          bodies[i < first || bodies.length < 2 ? 0 : 1].appendChild(item.row);
        });
      });
    });
  });
  // the command: a button that copies it
  document.querySelectorAll(".command").forEach(function (place) {
    var button = document.createElement("button");
    button.type = "button";
    button.className = "button";
    button.textContent = "Copy";
    button.addEventListener("click", function () {
      var range = document.createRange();
      range.selectNodeContents(place.querySelector("code"));
      var selection = window.getSelection();
      selection.removeAllRanges();
      selection.addRange(range);
      var done = function () { button.textContent = "Copied"; };
      if (navigator.clipboard) navigator.clipboard.writeText(String(range)).then(done, function () {});
      else if (document.execCommand("copy")) done();
    });
    place.appendChild(button);
  });
})();
