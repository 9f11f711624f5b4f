// How the HTML report looks: two palettes, one page, no network. Colours c0… are given to contenders in the order of the columns.

export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #fbfaf8; --card: #ffffff; --ink: #1d1f23; --soft: #646a73; --line: #e4e2dd; --grid: #eceae5; --one: #8b9099;
  --good: #1a7f4b; --bad: #b3261e; --floor: #b3261e; --whisker: #1d1f23;
  --c0: #9aa1ab; --c1: #2c6fd6; --c2: #d97a2b; --c3: #b5a08a; --c4: #7d5cc6; --c5: #2a9480; --c6: #c2557f; --c7: #7a8b2f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #15171a; --card: #1d2024; --ink: #e8e6e1; --soft: #a2a8b1; --line: #31353b; --grid: #2a2d32; --one: #7d838c;
    --good: #58c48b; --bad: #ff8a80; --floor: #ff8a80; --whisker: #e8e6e1;
    --c0: #7c838d; --c1: #6ea4f5; --c2: #eda463; --c3: #a8947f; --c4: #a78bea; --c5: #55c0aa; --c6: #e58bae; --c7: #b0c25b;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 26px; margin: 0 0 4px; letter-spacing: -0.01em; }
h2 { font-size: 19px; margin: 40px 0 6px; }
h3 { font-size: 15px; margin: 22px 0 4px; }
p { margin: 4px 0 12px; max-width: 75ch; }
.soft, caption { color: var(--soft); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); gap: 12px; margin: 20px 0 8px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px 14px; }
.card b { display: block; font-size: 27px; line-height: 1.2; font-variant-numeric: tabular-nums; }
.card { display: flex; flex-direction: column; } .card .verdict { font-size: 13px; margin-top: auto; padding-top: 6px; }
.met { color: var(--good); } .missed { color: var(--bad); } .open { color: var(--soft); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
table.narrow { width: auto; } table.narrow th, table.narrow td { padding-right: 28px; }
th { text-align: left; font-weight: 600; font-size: 13px; color: var(--soft); vertical-align: bottom; }
th, td { padding: 2px 14px 2px 0; border-bottom: 1px solid var(--line); }
td.n, th.n { text-align: right; white-space: nowrap; }
td.row { white-space: nowrap; font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: 13px; }
tr.suite td { padding-top: 16px; font-weight: 600; border-bottom-color: var(--one); }
svg { display: block; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 8px 0; padding: 0; list-style: none; font-size: 14px; }
.legend i { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin-right: 7px; vertical-align: -1px; }
.grid { stroke: var(--grid); } .grid.one { stroke: var(--one); }
.tick { fill: var(--soft); font-size: 11px; } .tick.one { fill: var(--ink); font-weight: 600; }
.value { fill: var(--ink); font-size: 12px; paint-order: stroke; stroke: var(--page); stroke-width: 3px; } .value.short { fill: var(--bad); font-weight: 600; } .name { fill: var(--ink); font-size: 13px; } .none { fill: var(--soft); font-size: 12px; font-style: italic; }
.whisker { stroke: var(--whisker); stroke-width: 1.5; opacity: 0.55; } .dot { fill: var(--whisker); opacity: 0.6; }
.floor { stroke: var(--floor); stroke-width: 1.5; stroke-dasharray: 3 2; fill: none; }
${Array.from({ length: 8 }, (_, i) => `.c${i} { fill: var(--c${i}); background: var(--c${i}); }`).join("\n")}
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(480px, 1fr)); gap: 0 28px; }
@media (max-width: 600px) { .pair { display: block; overflow-x: auto; } }
@media print { body { background: #fff; } h2 { break-after: avoid; } tr { break-inside: avoid; } }
`;
