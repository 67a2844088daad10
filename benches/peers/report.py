#!/usr/bin/env python3
"""Makes the table and the chart of a comparison: report.py FIGURES.json FOLDER."""

import json
import os
import statistics
import sys
from html import escape

STEPS = ["backup 1", "backup 2", "backup 3", "no change", "no change, password", "no change, kept key", "100 changed", "restore", "check", "prune"]
BY_PASSWORD = "no change, password"
TITLES = {"tree": "Source tree", "few": "2000 files", "generated": "Generated tree", "image": "Disk image of 2 GiB", "noise": "1.5 GB that does not compress"}
COLOURS = {"dedup": "#1b6ca8", "bupstash": "#e08e0b", "rustic": "#b5651d", "restic": "#7a8b3c", "borg": "#8e5572", "kopia": "#5f6b73"}


class Figures:
    def __init__(self, kept):
        self.kept = kept
        self.cells = {}
        for row in kept["rows"]:
            if row["ok"]:
                self.cells.setdefault((row["workload"], row["tool"], row["step"]), []).append(row)
        self.workloads = list(dict.fromkeys(row["workload"] for row in kept["rows"]))
        self.tools = list(kept["versions"])

    def median(self, workload, tool, step, field="wall"):
        rows = self.cells.get((workload, tool, step))
        return statistics.median(row[field] for row in rows) if rows else None

    def yardstick(self, workload, step):
        """The plain tool that was run for this step, and its median."""
        for (at, tool, what), _ in self.cells.items():
            if at == workload and what == step and tool not in self.tools:
                return tool, self.median(workload, tool, step)
        return None

    def repository(self, workload, tool):
        """Bytes after each generation, and after all but the newest were thrown away."""
        return [self.median(workload, tool, step, "repository") for step in ("backup 1", "backup 2", "backup 3", "prune")]

    def peak(self, workload, tool):
        found = [max(row["rss"] for row in rows) for (at, who, step), rows in self.cells.items()
                 if at == workload and who == tool and step != BY_PASSWORD]
        return max(found) if found else None


def seconds(value):
    return "-" if value is None else f"{value:.2f}"


def ratio(figures, workload, step):
    """How many times longer the quickest peer takes, and which one that is."""
    ours = figures.median(workload, "dedup", step)
    peers = [(figures.median(workload, tool, step), tool) for tool in figures.tools if tool != "dedup"]
    peers = [peer for peer in peers if peer[0] is not None]
    if ours is None or not peers:
        return "-"
    best, name = min(peers)
    return f"**{best / ours:.2f}** ({name})"


def table(figures, workload):
    steps = [step for step in STEPS if figures.median(workload, "dedup", step) is not None]
    lines = ["| wall seconds | " + " | ".join(steps) + " |", "|---" * (len(steps) + 1) + "|"]
    for tool in figures.tools:
        lines.append(f"| {tool} | " + " | ".join(seconds(figures.median(workload, tool, step)) for step in steps) + " |")
    plain = []
    for step in steps:
        found = figures.yardstick(workload, step)
        plain.append(f"{found[1]:.2f} (`{found[0].replace('|', chr(92) + '|')}`)" if found else "")
    lines.append("| plain tool | " + " | ".join(plain) + " |")
    lines.append("| best peer / dedup | " + " | ".join(ratio(figures, workload, step) for step in steps) + " |")
    lines += ["", "| | " + " | ".join(figures.tools) + " |", "|---" * (len(figures.tools) + 1) + "|"]
    names = ["MB after one generation", "after two", "after three", "after pruning all but the newest"]
    sizes = [figures.repository(workload, tool) for tool in figures.tools]
    for number, name in enumerate(names):
        if any(size[number] for size in sizes):
            lines.append(f"| {name} | " + " | ".join("-" if not size[number] else f"{size[number] / 1e6:.1f}" for size in sizes) + " |")
    processor = [figures.median(workload, tool, "backup 1", "cpu") for tool in figures.tools]
    lines.append("| processor seconds, backup 1 | " + " | ".join(seconds(value) for value in processor) + " |")
    peaks = [figures.peak(workload, tool) for tool in figures.tools]
    lines.append("| peak resident MiB, any step | " + " | ".join("-" if peak is None else f"{peak:.0f}" for peak in peaks) + " |")
    return lines


def markdown(figures):
    kept = figures.kept
    machine = kept["machine"]
    rounds = "from the only round" if kept["rounds"] == 1 else f"the median of {kept['rounds']} rounds"
    lines = [
        "# Comparison with other backup programs",
        "",
        "This document is for users who choose a backup program and for contributors who work on speed. `make bench-peers` runs the comparison and writes it.",
        "",
        f"Every figure is {rounds} of one run, in which the tools take turns on the same data. `benches/peers/run.py` and"
        " `benches/peers/tools.py` define the measurements and what each tool does. All tools encrypt, compress with zstd level 3, and verify as they do by"
        " default (dedup opens every new frame again before it is stored). Every restore was compared with its source byte by byte.",
        "",
        f"{kept['date']}, {machine['cores']} cores of {machine['cpu']}, {machine['memory'] / 2**30:.0f} GiB, {machine['system']}; repositories and restored"
        " trees on tmpfs, sources in the page cache. dedup and bupstash use a key file, the others a password, and their times include the key"
        " derivation (about 0.5 s for restic and rustic, 0.3 s for borg, for each command). \"no change, password\" is dedup with a password (Argon2id,"
        " whose 256 MiB are not included in the peak below), and \"no change, kept key\" is the next run, which finds the key in the kernel's keyring.",
        "",
        "| tool | version |",
        "|---|---|",
        *[f"| {tool} | {version} |" for tool, version in kept["versions"].items()],
        "",
        "![Wall time of each step relative to dedup](peers.svg)",
    ]
    for workload in figures.workloads:
        title = TITLES.get(workload, workload) + (f" ({kept['data']})" if workload == "tree" else "")
        lines += ["", f"## {title}", "", *table(figures, workload)]
    behind = [f"{TITLES.get(w, w)}, {s}: {t}" for w in figures.workloads for s in STEPS for t in figures.tools[1:]
              if (figures.median(w, t, s) or 1e9) < (figures.median(w, "dedup", s) or 0)]
    behind += [f"{TITLES.get(w, w)}, size after {n}: {t}" for w in figures.workloads for i, n in enumerate(["one generation", "two", "three", "pruning"])
               for t in figures.tools[1:] if (figures.repository(w, t)[i] or 1e18) < 0.999 * (figures.repository(w, "dedup")[i] or 0)]
    lines += ["", "## Where another tool is ahead", "", *([f"- {line}" for line in behind] or ["Nowhere in this run."])]
    return "\n".join(lines) + "\n"


def chart(figures):
    """Bars: wall time of each tool relative to dedup's, a group for each step of each workload."""
    groups = []
    for workload in figures.workloads:
        for step in STEPS:
            ours = figures.median(workload, "dedup", step)
            if ours:
                bars = [(tool, figures.median(workload, tool, step)) for tool in figures.tools]
                groups.append((f"{TITLES.get(workload, workload)}: {step}", ours, [(tool, wall) for tool, wall in bars if wall]))
    left, unit, bar, top = 270, 46, 11, 54
    limit = 12
    height = top + sum(len(bars) * bar + 16 for _, _, bars in groups) + 20
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="960" height="{height}" font-family="sans-serif" font-size="11">',
           '<rect width="100%" height="100%" fill="white"/>',
           '<text x="12" y="20" font-size="15" font-weight="bold">Wall time relative to dedup (shorter is better)</text>']
    x = 12
    for tool in figures.tools:
        out.append(f'<rect x="{x}" y="32" width="10" height="10" fill="{COLOURS.get(tool, "#888")}"/><text x="{x + 14}" y="41">{escape(tool)}</text>')
        x += 90
    y = top
    for title, ours, bars in groups:
        middle = y + len(bars) * bar / 2 + 4
        out.append(f'<text x="{left - 10}" y="{middle}" text-anchor="end">{escape(title)}</text>')
        for tool, wall in bars:
            times = wall / ours
            width = min(times, limit) * unit
            out.append(f'<rect x="{left}" y="{y}" width="{width:.1f}" height="{bar - 2}" fill="{COLOURS.get(tool, "#888")}"/>')
            out.append(f'<text x="{left + width + 4:.1f}" y="{y + bar - 3}" font-size="9">{times:.2f}{" (cut)" if times > limit else ""} &#183; {wall:.2f} s</text>')
            y += bar
        y += 16
    out.append(f'<line x1="{left + unit}" y1="{top - 6}" x2="{left + unit}" y2="{y - 10}" stroke="#333" stroke-dasharray="3 3"/>')
    return "\n".join(out + ["</svg>"]) + "\n"


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        figures = Figures(json.load(file))
    os.makedirs(sys.argv[2], exist_ok=True)
    for name, text in (("peers.md", markdown(figures)), ("peers.svg", chart(figures))):
        with open(os.path.join(sys.argv[2], name), "w", encoding="utf-8") as out:
            out.write(text)


if __name__ == "__main__":
    main()
