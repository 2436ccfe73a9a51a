"""Pictures of a run: mels and alignment of a clip, and how the losses went."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from hf_vits.training.held_out import HeldOut


def clip_picture(clip: HeldOut, spoken_mel: Tensor | None = None):
    """A clip -> `matplotlib.figure.Figure`: mels of recording, reconstruction and (M, T) speech, and the alignment."""
    from matplotlib.figure import Figure

    mels = {"recording": clip.real_mel, "reconstruction": clip.fake_mel, "spoken from its text": spoken_mel}
    mels = {name: mel for name, mel in mels.items() if mel is not None}
    figure = Figure(figsize=(9, 2 * len(mels) + 4))
    figure.subplots_adjust(left=0.07, right=0.98, bottom=0.06, top=0.96, hspace=0.4)
    axes = figure.subplots(len(mels) + 1, 1, height_ratios=[1] * len(mels) + [2])
    low, high = float(clip.real_mel.min()), float(clip.real_mel.max())
    for axis, (name, mel) in zip(axes, mels.items(), strict=False):
        axis.imshow(mel.cpu().numpy(), origin="lower", aspect="auto", vmin=low, vmax=high, interpolation="none")
        axis.set(title=name, ylabel="mel band")
    posterior = clip.scores.softmax(dim=-1).T.cpu().numpy()
    axes[-1].imshow(posterior, origin="lower", aspect="auto", cmap="Greys", interpolation="none")
    axes[-1].plot(clip.token_of_frame.cpu().numpy(), color="tab:red", linewidth=1)
    axes[-1].set(title=f"alignment, focus {clip.measures['focus']:.2f}", xlabel="frame", ylabel="token")
    return figure


def loss_picture(history: Sequence[Mapping[str, float]]):
    """Lines of the history -> `matplotlib.figure.Figure`: each loss over the steps, held-out measures beside it."""
    from matplotlib.figure import Figure

    names = sorted({name for line in history for name in line if "/" in name})
    terms = sorted({name.split("/")[1] for name in names})
    figure = Figure(figsize=(12, 3 * -(-len(terms) // 3)))
    figure.subplots_adjust(left=0.05, right=0.98, hspace=0.4)
    axes = figure.subplots(-(-len(terms) // 3), 3, squeeze=False).flatten()
    for axis in axes[len(terms) :]:
        axis.set_visible(False)
    for axis, term in zip(axes, terms, strict=False):
        for name in (name for name in names if name.split("/")[1] == term):
            points = [(line["step"], line[name]) for line in history if name in line]
            axis.plot(*zip(*points, strict=True), label=name.split("/")[0], marker="." if len(points) < 30 else None)
        values = [line[name] for line in history for name in line if name.split("/")[-1] == term]
        axis.set(title=term, xlabel="step", yscale="log" if 0 < 50 * min(values) < max(values) else "linear")
        axis.legend()
    return figure


def save_picture(figure, path: Path) -> None:
    """Writes a PNG."""
    figure.savefig(path, format="png", dpi=80)
