"""How things look: the colours of the stages, their words, and the page's style sheet."""

from __future__ import annotations

from rove_core.colours import STAGE_COLOURS, STAGE_INK, STAGE_WORDS
from rove_core.vocabulary import Stage


def _stages() -> str:
    return "\n".join(
        f".{STAGE_WORDS[stage]}{{background-color:{STAGE_COLOURS[stage]};color:{STAGE_INK[stage]}}}"
        for stage in Stage
    )


STYLE = """
:root{color-scheme:light dark;--page:#fdfdfc;--ink:#1c1d1f;--soft:#5d6167;--line:#dcdedf;
--faint:#f1f2f2;--old:#8a8f96;--new:#0072b2;--warn:#8a4b00;--warnpage:#fff5e2;--warnline:#e69f00}
@media (prefers-color-scheme:dark){:root{--page:#15171a;--ink:#e7e8ea;--soft:#a0a5ac;
--line:#33373c;--faint:#1f2226;--old:#878d95;--new:#56b4e9;--warn:#ffc66b;--warnpage:#2a2213;
--warnline:#c98a00}}
@media (prefers-color-scheme:dark){.ribbon .cut,.legend .cut{background-color:#3c4046;
color:#d5d7da}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--ink);
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif;
font-variant-numeric:tabular-nums}
main{max-width:64rem;margin:0 auto;padding:2.5rem 1.25rem 4rem}
h1{font-size:1.75rem;line-height:1.25;font-weight:650;letter-spacing:-.01em;margin:.2rem 0 1rem}
h2{font-size:1.2rem;line-height:1.3;font-weight:650;margin:3.25rem 0 .6rem}
h3{font-size:1rem;line-height:1.4;font-weight:600;margin:0}
p{margin:.5rem 0;max-width:46rem}
.kicker,.soft{color:var(--soft)}
.kicker,.small{font-size:.875rem}
code{font:.9em ui-monospace,"SF Mono",Menlo,Consolas,monospace;overflow-wrap:anywhere}
.lead{font-size:1.125rem}
.verdict{border-left:3px solid var(--new);padding:.15rem 0 .15rem .9rem;margin:1.25rem 0;
font-weight:600}
.warnings{background:var(--warnpage);border-left:3px solid var(--warnline);
padding:.8rem 1.1rem;margin:1.5rem 0}
.warnings h2{margin:0 0 .25rem;font-size:1rem;color:var(--warn)}
.warnings ul{margin:0;padding-left:1.1rem}
.missing{color:var(--soft);border-left:3px solid var(--line);padding-left:.9rem}
.measures{display:grid;grid-template-columns:repeat(auto-fit,minmax(17rem,1fr));gap:1.75rem 2.5rem;
margin:1.75rem 0 0}
.side{margin:.6rem 0 0}
.side .row{display:flex;justify-content:space-between;gap:1rem;font-size:.875rem}
.side b{font-weight:600}
.track{position:relative;height:14px;margin-top:2px;
background:linear-gradient(var(--line),var(--line)) 0 50%/100% 1px no-repeat}
.track i{position:absolute;top:4px;height:6px;border-radius:3px;background:var(--old);opacity:.45}
.track u{position:absolute;top:1px;width:12px;height:12px;margin-left:-6px;border-radius:50%;
background:var(--page);border:3px solid var(--old)}
.after .track i{background:var(--new)}
.after .track u{background:var(--new);border-color:var(--new)}
.ends{display:flex;justify-content:space-between;font-size:.75rem;color:var(--soft);margin-top:2px}
.scroll{overflow-x:auto;-webkit-overflow-scrolling:touch}
table{border-collapse:collapse;font-size:.875rem;width:100%;margin:.75rem 0}
th,td{padding:.35rem .9rem .35rem 0;text-align:left;white-space:nowrap;
border-bottom:1px solid var(--line)}
th{font-weight:600;color:var(--soft);vertical-align:bottom}
tbody th{padding-top:1.1rem;color:var(--ink)}
.num{text-align:right}
td:last-child,th:last-child{padding-right:0}
.bad{font-size:.875rem}
.bad li{overflow-wrap:anywhere}
.legend{display:flex;flex-wrap:wrap;gap:.4rem .6rem;font-size:.8125rem;margin:.9rem 0 0;padding:0;
list-style:none}
.legend li{padding:.05rem .6rem;border-radius:2px}
.episode{margin:2.25rem 0 0}
.episode .small{margin:.1rem 0 .5rem;max-width:none}
.figure{display:grid;grid-template-columns:4.75rem minmax(0,1fr);gap:5px 0;min-width:46rem;
align-items:center}
.gutter{font-size:.75rem;color:var(--soft);padding-right:.75rem;align-self:stretch;display:flex;
align-items:center;position:sticky;left:0;background:var(--page);z-index:1}
.film{display:flex;gap:2px}
.film img,.film span{flex:1 1 0;min-width:0;display:block;width:0;border-radius:2px}
.film img{height:auto}
.film span{background:var(--faint);color:var(--soft);font-size:.6875rem;text-align:center;
align-self:stretch;padding-top:1.5rem}
.ribbon{display:flex;height:22px;border-radius:2px;overflow:hidden}
.ribbon span{font-size:.75rem;line-height:22px;text-align:center;overflow:hidden;
white-space:nowrap;min-width:1px;box-shadow:inset -1px 0 0 rgba(255,255,255,.6)}
.ribbon span:last-child{box-shadow:none}
.ribbon .cut,.legend .cut{background-image:repeating-linear-gradient(135deg,
rgba(0,0,0,.16) 0 1px,transparent 1px 5px)}
.plot{position:relative;font-size:.75rem;color:var(--soft)}
.plot svg{position:absolute;inset:0;width:100%;height:100%;overflow:visible;display:block}
.plot svg *{vector-effect:non-scaling-stroke}
.plot span{position:absolute;white-space:nowrap;line-height:1;pointer-events:none}
.plot .y{transform:translateY(-50%);right:100%;padding-right:.5rem}
.plot .x{transform:translateX(-50%);top:100%;padding-top:.4rem}
.plot .x.first{transform:none}
.plot .x.last{transform:translateX(-100%)}
.plot .mark{bottom:100%;padding:0 0 .15rem;color:var(--ink);transform:translateX(-50%)}
.plot .mark.left{transform:translateX(-100%)}
.plot .mark.right{transform:none}
.plot .mark sub{line-height:0}
.plot .end{transform:translateY(-50%);left:100%;padding-left:.5rem}
.grid{stroke:var(--line);stroke-width:1}
.line{fill:none;stroke:var(--new);stroke-width:1.75;stroke-linejoin:round}
.line.other{stroke:var(--ink);stroke-dasharray:5 4}
.edge{stroke:var(--ink);stroke-width:1.25;stroke-dasharray:2 3}
.high{stroke:var(--new);stroke-width:1.5}
.low{stroke:var(--old);stroke-width:1.5}
.inside .y{right:auto;left:0;padding:0 .3rem 0 0;background:var(--page)}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(18rem,1fr));gap:2rem 3rem;
margin-top:1rem}
.chart .plot{height:12rem;margin:.9rem 4.5rem 2.2rem 3.4rem}
.share{display:grid;grid-template-columns:8rem 1fr 7.5rem;gap:.35rem .8rem;max-width:40rem;
font-size:.875rem;align-items:center}
.share div{background:var(--faint);height:12px;border-radius:2px}
.share i{display:block;height:12px;border-radius:2px}
dl{display:grid;grid-template-columns:minmax(8rem,max-content) 1fr;gap:.3rem 1.5rem;
font-size:.875rem;margin:.75rem 0}
dt{color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere}
footer{margin-top:3.5rem;padding-top:1rem;border-top:1px solid var(--line);
font-size:.875rem;color:var(--soft)}
@media (max-width:40rem){main{padding:1.5rem 1rem 3rem}h1{font-size:1.45rem}
.share{grid-template-columns:6.5rem 1fr 5rem}.chart .plot{margin-left:3rem;margin-right:4rem}}
@media print{.figure{min-width:0}}
""" + _stages()
