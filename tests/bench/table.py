# SPDX-License-Identifier: LGPL-2.1-or-later
"""The results of the bench as Markdown."""

import os
import platform
import statistics

import durable
import tls


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
    """Results for answerd only."""
    lines = [row(["answerd alone", "", "", "ratio"]), row(["---", "---:", "---:", "---:"])]
    for a in bench.answerds:
        of = "" if a not in bench.also else f", {a.name}"
        few, crowd = median(a.name, "instructions 50"), median(a.name, "instructions crowd")
        if few and crowd:
            lines.append(row([f"user instructions per message{of}", f"{few:,.0f} at 50 connections",
                              f"{crowd:,.0f} at {bench.sizes.crowd:,}", f"{crowd / few:.3f}"]))
        flood, recorded = median("flood", "recorded"), median(a.name, "recorded")
        if flood and recorded:
            lines.append(row([f"into the journal, a second{of}", f"{flood:,.0f} by a bare sendmmsg() flood",
                              f"{recorded:,.0f} recorded and answered", f"{recorded / flood:.2f}"]))
        one, two = median(a.name, "workers 1"), median(a.name, "workers 2")
        if one and two:
            lines.append(row([f"CPU per message, load on the same two CPUs, µs{of}", f"{one:.2f} with one worker",
                              f"{two:.2f} with two", f"{two / one:.2f}"]))
    return lines if len(lines) > 2 else []


def crowd(bench, median):
    """With the ratios to floods of the same entries."""
    sizes = bench.sizes.recording
    floods = [median("flood", f"recorded {n}") for n in sizes]
    if not all(floods):
        return []
    lines = [row(["recorded and answered a second, one in flight", *[f"{n:,} connections" for n in sizes]]),
             row(["---"] + ["---:"] * len(sizes)),
             row(["flood of the same entries"] + [f"{flood:,.0f}" for flood in floods])]
    for a in bench.answerds:
        rates = [median(a.name, f"recorded {n}") for n in sizes]
        lines.append(row([a.name] + [f"{rate:,.0f}" + ratio(rate, flood) for rate, flood in zip(rates, floods)]))
    return lines


def compared(bench):
    """The figures that get ratios: (column, title)."""
    titles = [(k, t.format(many=bench.sizes.many)) for k, t, _ in COLUMNS]
    return [*[(k, f"CPU per message, {t}") for k, t in titles],
            *[(f"{k} rate", f"messages a second, {t}") for k, t in titles],
            ("idle", "memory, idle"),
            ("burst", "memory, idle again"),
            ("instructions 50", "instructions, 50 connections"),
            ("instructions crowd", f"instructions, {bench.sizes.crowd:,} connections"),
            ("recorded", "messages recorded a second, 50, 16 in flight"),
            *[(f"recorded {n}", f"messages recorded a second, {n:,} connections") for n in bench.sizes.recording],
            ("workers 1", "CPU per message, one worker"),
            ("workers 2", "CPU per message, two workers")]


def against(bench):
    """The figures of the built answerd divided by those of others. Both come from the same round, when the machine
    was equally fast and busy."""
    lines = [row(["answerd's figure by that of", *[a.name for a in bench.also]]),
             row(["---"] + ["---:"] * len(bench.also))]
    for column, title in compared(bench):
        ours = bench.samples.get(("answerd", column))
        if not ours:
            continue
        cells = []
        for a in bench.also:
            ratios = sorted(x / y for x, y in zip(ours, bench.samples[a.name, column]))
            low, high = quartiles(ratios)
            cells.append(f"{statistics.median(ratios):.3f}" + (f" ({low:.3f}–{high:.3f})" if len(ratios) > 2 else ""))
        lines.append(row([title, *cells]))
    return lines


def machine():
    name = platform.machine()
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as info:
        for line in info:
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    return f"{name}, {os.cpu_count()} CPUs, Linux {platform.release()}"


def quartiles(ordered):
    n = len(ordered)
    return ordered[n // 4], ordered[(3 * n) // 4]


def spread(bench):
    """The largest and the usual distance of a sample from its median: how far to trust the ratios."""
    widths = []
    for (name, column), samples in bench.samples.items():
        if len(samples) > 2 and not column.endswith("rate") and bench.median(name, column):
            low, high = quartiles(sorted(samples))
            widths.append((high - low) / bench.median(name, column))
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
    parts += [alone(bench, median), crowd(bench, median), *durable.tables(bench, row, figure),
              *tls.tables(bench, row, figure, ratio)]
    if bench.also:
        parts += [against(bench), ["In brackets, where half of the rounds' ratios lie."]]
    parts.append([f"Medians of {rounds} rounds, in brackets the ratio to the floor, or to the flood."
                  f" {machine()}.{spread(bench)}"])
    parts += [[f"{name}: {reason}."] for name, reason in sorted(bench.missing.items())]
    return "\n\n".join("\n".join(lines) for lines in parts if lines)
