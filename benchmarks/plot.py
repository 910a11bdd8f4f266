"""A picture of a result: one panel a measure, one bar a contender, a line from the least to the greatest round.

Where contenders are far apart the scale is logarithmic, and says so.
"""

from __future__ import annotations

import statistics
from pathlib import Path

from benchmarks.harness import Result
from benchmarks.report import in_words

FAR_APART = 30
OURS, PEER = "#1f6feb", "#b8bec6"


def draw(result: Result, file: Path) -> None:
    """Write the picture as SVG."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = result.name  # the same picture for the same figures
    matplotlib.rcParams["svg.fonttype"] = "none"  # text as text: half the size
    from matplotlib import pyplot

    contenders, measures = list(result.rounds), result.measures()
    figure, panels = pyplot.subplots(
        1,
        len(measures),
        figsize=(3.2 + 3.4 * len(measures), 1.1 + 0.38 * len(contenders)),
        squeeze=False,
        sharey=True,
        layout="constrained",
    )
    for panel, measure in zip(panels[0], measures, strict=True):
        medians = [statistics.median(samples) for name in contenders if (samples := result.samples(name, measure))]
        far_apart = min(medians) > 0 and max(medians) > FAR_APART * min(medians)
        longest = (3 if far_apart else 1.3) * max(medians)
        for row, contender in enumerate(contenders):
            samples = result.samples(contender, measure)
            if not samples:
                continue
            median = statistics.median(samples)
            end = min(max(samples), longest)
            panel.barh(row, median, color=OURS if contender.startswith("uio_workloop") else PEER, height=0.7)
            panel.plot([min(samples), end], [row, row], color="black", linewidth=1)
            panel.annotate(" " + in_words(median, result.units[measure]), (end, row), va="center", fontsize=8)
        panel.set_title(f"{measure} (logarithmic)" if far_apart else measure, fontsize=10)
        panel.set_yticks(range(len(contenders)), contenders, fontsize=9)
        if far_apart:
            panel.set_xscale("log")
            panel.set_xlim(min(medians) / 3, longest * 4)
        else:
            panel.set_xlim(0, longest * 1.3 or 1)
        panel.xaxis.set_visible(False)
        panel.spines[["top", "right", "bottom"]].set_visible(False)
    panels[0][0].invert_yaxis()
    figure.suptitle(result.title, fontsize=11)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)
