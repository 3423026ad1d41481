# SPDX-License-Identifier: LGPL-2.1-or-later
"""The bench's figures as Markdown."""

import os
import platform


def ratio(value, floor):
    return "" if value is None or not floor else f" ({value / floor:.2f})"


def row(cells):
    return "| " + " | ".join(cells) + " |"


def figure(value, form):
    return "–" if value is None else format(value, form)


COLUMNS = [
    ("50", "50 connections", ".2f"),
    ("1000", "{many:,} connections", ".2f"),
    ("pipeline", "50, 16 in flight", ".2f"),
    ("churn", "a connection for one message", ".1f"),
]


def cost(bench, median):
    """CPU µs, with the ratio to the floor."""
    lines = [row(["server CPU, µs per message"] + [t.format(many=bench.sizes.many) for _, t, _ in COLUMNS]),
             row(["---"] + ["---:"] * len(COLUMNS))]
    for c in bench.contenders:
        if c.name in bench.missing:
            continue
        lines.append(row([c.name] + [
            figure(median(c.name, k), form) + ratio(median(c.name, k), median("floor", k))
            for k, _, form in COLUMNS]))
    return lines


def throughput(bench, median):
    lines = [row(["messages a second"] + [t.format(many=bench.sizes.many) for _, t, _ in COLUMNS]),
             row(["---"] + ["---:"] * len(COLUMNS))]
    for c in bench.contenders:
        if c.name in bench.missing:
            continue
        lines.append(row([c.name] + [
            figure(median(c.name, k + " rate"), ",.0f") + ratio(median(c.name, k + " rate"), median("floor", k + " rate"))
            for k, _, _ in COLUMNS]))
    return lines


def memory(bench, median):
    lines = [row([f"memory of its own per connection, bytes, at {bench.sizes.idle:,}", "idle",
                  "idle again after all have spoken at once"]), row(["---", "---:", "---:"])]
    for c in bench.contenders:
        if median(c.name, "idle") is not None:
            lines.append(row([c.name, f"{median(c.name, 'idle'):,.0f}", f"{median(c.name, 'burst'):,.0f}"]))
    return lines


def alone(bench, median):
    """What only answerd is asked."""
    lines = [row(["answerd alone", "", "", "ratio"]), row(["---", "---:", "---:", "---:"])]
    few, crowd = median("answerd", "instructions 50"), median("answerd", "instructions crowd")
    if few and crowd:
        lines.append(row(["user instructions per message", f"{few:,.0f} at 50 connections",
                          f"{crowd:,.0f} at {bench.sizes.crowd:,}", f"{crowd / few:.3f}"]))
    flood, recorded = median("journal", "flood"), median("journal", "answerd")
    if flood and recorded:
        lines.append(row(["into the journal, a second", f"{flood:,.0f} by a bare sendmmsg() flood",
                          f"{recorded:,.0f} recorded and answered", f"{recorded / flood:.2f}"]))
    one, two = median("workers", "1"), median("workers", "2")
    if one and two:
        lines.append(row(["CPU per message, load on the same two CPUs, µs", f"{one:.2f} with one worker",
                          f"{two:.2f} with two", f"{two / one:.2f}"]))
    return lines if len(lines) > 2 else []


def machine():
    name = platform.machine()
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as info:
        for line in info:
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    return f"{name}, {os.cpu_count()} CPUs, Linux {platform.release()}"


def spread(bench):
    """The widest and the usual distance of a sample from its median: how far to trust the ratios."""
    widths = []
    for (name, column), samples in bench.samples.items():
        if len(samples) > 2 and not column.endswith("rate"):
            ordered, n = sorted(samples), len(samples)
            middle = bench.median(name, column)
            widths.append((ordered[(3 * n) // 4] - ordered[n // 4]) / middle)
    if not widths:
        return ""
    widths.sort()
    return (f" Half of a figure's samples lie within {100 * widths[len(widths) // 2]:.0f} % of each other"
            f" (at the worst {100 * widths[-1]:.0f} %).")


def write(bench, rounds):
    median = bench.median
    parts = []
    if median("floor", "50") or median("answerd", "50"):
        parts += [cost(bench, median), throughput(bench, median)]
    if any(median(c.name, "idle") is not None for c in bench.contenders):
        parts.append(memory(bench, median))
    parts.append(alone(bench, median))
    parts.append([f"Medians of {rounds} rounds, in brackets the ratio to the floor. {machine()}.{spread(bench)}"])
    parts += [[f"{name}: {reason}."] for name, reason in sorted(bench.missing.items())]
    return "\n\n".join("\n".join(lines) for lines in parts if lines)
