// Sort and filter the tables by the numbers of the report that the page holds, not by the texts that it shows.
(() => {
  "use strict";
  const text = document.getElementById("report").textContent;
  const report = JSON.parse(text);
  const tables = JSON.parse(document.getElementById("tables").textContent);
  const collator = new Intl.Collator("en", { numeric: true });
  const TERM = /^([a-z][a-z0-9_]*)(<=|>=|==|!=|<|>)(.+)$/;
  const HOLDS = {
    "<": (a, b) => a < b, "<=": (a, b) => a <= b, ">": (a, b) => a > b, ">=": (a, b) => a >= b,
    "==": (a, b) => a === b, "!=": (a, b) => a !== b,
  };
  document.documentElement.classList.remove("no-script");

  const isBlank = (value) => value === null || value === undefined;

  function compared(a, b) {
    if (typeof a === "string" || typeof b === "string") return collator.compare(String(a), String(b));
    return Number(a) - Number(b);
  }

  // A word is a condition, such as retention<90%, or a part of a name; a blank meets no condition.
  function predicate(word, columns) {
    const [, column, sign, wanted] = TERM.exec(word) || [];
    if (!columns.has(column)) {
      const part = word.toLowerCase();
      return (row) => Object.values(row).some((value) => typeof value === "string" && value.toLowerCase().includes(part));
    }
    const flags = { true: 1, yes: 1, false: 0, no: 0 };
    const number = wanted in flags ? flags[wanted] : wanted.endsWith("%") ? wanted.slice(0, -1) / 100 : Number(wanted);
    return (row) => {
      const value = row[column];
      if (isBlank(value)) return false;
      return typeof value === "string" ? HOLDS[sign](value, wanted) : HOLDS[sign](Number(value), number);
    };
  }

  for (const table of document.querySelectorAll("table[data-rows]")) {
    const rows = tables[table.dataset.rows] || report[table.dataset.rows];
    const body = table.tBodies[0];
    const lines = [...body.rows];
    const rowOf = (line) => rows[Number(line.dataset.row)];
    const headers = [...table.tHead.rows[0].cells];
    const columns = new Set(rows.flatMap((row) => Object.keys(row)));
    const tools = table.closest("section").querySelector(".tools");

    table.tHead.addEventListener("click", (event) => {
      const header = event.target.closest("th");
      if (!header || !event.target.closest("button")) return;
      const next = { ascending: "descending", descending: "none" }[header.ariaSort] || "ascending";
      for (const other of headers) other.ariaSort = null;
      if (next !== "none") header.ariaSort = next;

      const column = header.dataset.column;
      const sign = next === "descending" ? -1 : 1;
      const sorted = [...lines];
      if (next !== "none") {
        sorted.sort((one, other) => {
          const [a, b] = [rowOf(one)[column], rowOf(other)[column]];
          return isBlank(a) || isBlank(b) ? isBlank(a) - isBlank(b) : sign * compared(a, b); // blanks last
        });
      }
      body.append(...sorted);
    });

    // All digits of a number, where the pointer rests on it.
    body.addEventListener("mouseover", (event) => {
      const cell = event.target.closest("td, th");
      if (cell) cell.title = String(rowOf(cell.parentNode)[headers[cell.cellIndex].dataset.column] ?? "undefined");
    });

    if (!tools) continue;
    const [input, shown] = [tools.querySelector("input"), tools.querySelector("output")];
    input.addEventListener("input", () => {
      const tests = input.value.split(/\s+/).filter(Boolean).map((word) => predicate(word, columns));
      let n = 0;
      for (const line of lines) {
        line.hidden = !tests.every((test) => test(rowOf(line)));
        n += !line.hidden;
      }
      shown.textContent = n === lines.length ? "" : `${n} of ${lines.length} rows`;
    });
  }

  document.getElementById("save").addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = "report.json";
    link.click();
    URL.revokeObjectURL(link.href);
  });

  // A print has everything.
  const closed = () => document.querySelectorAll("details:not([open])");
  let opened = [];
  addEventListener("beforeprint", () => { opened = [...closed()]; for (const each of opened) each.open = true; });
  addEventListener("afterprint", () => { for (const each of opened) each.open = false; });
})();
