"""The figures as a table and as a chart."""
import statistics
import xml.sax.saxutils as sax


def median(rows, figure):
    values = [r[figure] for r in rows if figure in r]
    return statistics.median(values) if values else None


def spread(rows, figure="rate"):
    """The widest deviation from the median, in per cent."""
    values = [r[figure] for r in rows if figure in r]
    m = statistics.median(values)
    return max(abs(v - m) for v in values) / m * 100 if m else 0


def text(value, digits=0):
    return "-" if value is None else f"{value:,.{digits}f}"


def table(cases, servers, results, limits):
    """results[case][server] = [figures of each round]"""
    lines = [f"{'':40}{'':12}{'rate':>9} {'±':>4}  {'unit':15}{'cpu ms':>8}{'KB':>9}"
             f"{'flushes':>9}{'ratio':>8}"]
    for case in cases:
        base = results[case.name].get("Postfix")
        for i, name in enumerate(servers):
            rows = results[case.name].get(name)
            if not rows:
                continue
            rate, ratio = median(rows, "rate"), ""
            if base and name != "Postfix":
                ratio = f"{rate / median(base, 'rate'):.2f}"
            lines.append(
                f"{case.title if i == 0 else '':40}{name:12}{text(rate, 1 if rate < 100 else 0):>9}"
                f" {spread(rows):3.0f}%  {case.unit:15}{text(median(rows, 'cpu_ms'), 3):>8}"
                f"{text(median(rows, 'kb'), 1):>9}{text(median(rows, 'flushes'), 2):>9}{ratio:>8}")
    lines.append("")
    lines += [f"{title:40}{text(value, 2 if value < 10 else 0):>21}  {unit}"
              for title, value, unit in limits]
    lines.append("")
    lines.append("rate: median of the rounds; ±: the widest round; cpu ms, KB, flushes: of the "
                 "server, for each message\n(KB of an idle connection: its memory); ratio: to "
                 "Postfix in the same run.")
    return "\n".join(lines)


BAR, GAP, LEFT, WIDE = 16, 14, 300, 420
COLOURS = ("#2b6cb0", "#a0aec0", "#cbd5e0", "#e2e8f0")


def chart(cases, servers, results):
    """An SVG: for each case a bar for each server, the longest being the full width."""
    out, y = [], 40
    for case in cases:
        rows = [(n, median(results[case.name][n], "rate")) for n in servers
                if results[case.name].get(n)]
        if not rows:
            continue
        top = max(rate for _, rate in rows)
        out.append(f'<text x="{LEFT - 10}" y="{y + 12}" text-anchor="end">'
                   f'{sax.escape(case.title)}</text>')
        for name, rate in rows:
            width = max(1, rate / top * WIDE)
            colour = COLOURS[servers.index(name) % len(COLOURS)]
            out.append(f'<rect x="{LEFT}" y="{y}" width="{width:.0f}" height="{BAR - 3}" '
                       f'fill="{colour}"/><text x="{LEFT + width + 6:.0f}" y="{y + 11}" '
                       f'class="n">{text(rate, 1 if rate < 100 else 0)} {case.unit}</text>')
            y += BAR
        y += GAP
    legend = "".join(
        f'<rect x="{LEFT + i * 110}" y="12" width="12" height="12" fill="'
        f'{COLOURS[i % len(COLOURS)]}"/><text x="{LEFT + 18 + i * 110}" y="23">{n}</text>'
        for i, n in enumerate(servers))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDE + 190}" height="{y}" '
            'font-family="sans-serif" font-size="12"><style>.n{font-size:11px;fill:#555}</style>'
            f'<rect width="100%" height="100%" fill="white"/>{legend}{"".join(out)}</svg>\n')
