"""PNG files of the figures: the built-in ones, and custom ones."""

from collections.abc import Sequence
from contextlib import AbstractContextManager

from components.artifacts import Evaluation, Figure, Stored
from components.base.component import Context
from components.inference.split_images import SplitImages
from components.runtime.disk import disk_space_guard
from components.visualizer.figure_function import FigureData, FigureFunction
from components.visualizer.plots.figures import draw_figures
from components.visualizer.plots.style import save, style
from components.visualizer.report_data import ReportData
from components.visualizer.statements import Statements


def write_figures(report: ReportData, context: Context) -> list[Figure]:
    """Draw and write the built-in figures; return their statements."""
    figures = []
    with style():
        for figure, drawing in draw_figures(report):
            with _disk_space(context, figure):
                save(drawing, context.output / figure.file)
            figures.append(figure)
    return figures


def write_custom_figures(
    functions: Sequence[FigureFunction],
    statements: Statements,
    evaluation: Stored[Evaluation],
    test: SplitImages,
    context: Context,
) -> list[Figure]:
    """Draw and write the figures of functions; return their statements."""
    if not functions:
        return []
    data = FigureData.read(statements, evaluation, test)
    figures = [function.describe() for function in functions]
    for function, figure in zip(functions, figures, strict=True):
        with _disk_space(context, figure):
            function.save(data, context.output / figure.file)
    return figures


def _disk_space(context: Context, figure: Figure) -> AbstractContextManager[None]:
    context.termination.check()
    # The largest figure of MNIST has 128 kB.
    return disk_space_guard(context.output, 150_000, f"the figure {figure.file}")
