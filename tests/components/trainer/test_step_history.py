"""Step history: the means of each group of steps, from running means over an epoch."""

from pathlib import Path

from components.trainer.step_history import StepHistory


def history() -> StepHistory:
    return StepHistory(steps=3, batch_size=4, images=10)


def test_rows_are_means_over_the_images_of_a_group(tmp_path: Path) -> None:
    steps = history()
    for epoch in (1, 2):
        steps.record(epoch=epoch, step=2, loss=2.0, accuracy=0.5)  # 8 images
        steps.record(epoch=epoch, step=3, loss=1.8, accuracy=0.6)  # the last batch has 2
    steps.write(tmp_path / "steps.csv")
    assert (tmp_path / "steps.csv").read_text() == (
        "epoch,step,images,loss,accuracy\n1,2,8,2.0,0.5\n1,3,2,1.0,1.0\n2,5,8,2.0,0.5\n2,6,2,1.0,1.0\n"
    )


def test_restored_state_continues_with_the_same_rows(tmp_path: Path) -> None:
    steps, resumed = history(), history()
    steps.record(epoch=1, step=2, loss=2.0, accuracy=0.5)
    resumed.state = steps.state
    for each, name in ((steps, "one"), (resumed, "other")):
        each.record(epoch=1, step=3, loss=1.8, accuracy=0.6)
        each.write(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
    assert history().state.shape == (0, 4), "without any row"
