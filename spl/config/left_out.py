"""An experiment without the datasets and the runs that `left_out` names."""

from typing import Any

from spl.config.experiment import Params


def without_left_out(params: Params) -> Params:
    """Drop the datasets that are left out, and what cannot be shown without them or without a run.

    `left_out` says of a figure that is dropped, as `figures/fig5`, which run it lacks. Figure 3 keeps a run's place
    empty.
    """
    lacks, changes = dict(params.left_out), dict[str, Any]()
    datasets = {name: dataset for name, dataset in params.datasets.items() if name not in lacks}
    figures, ablations, detection = params.figures, params.ablations, params.detection
    cells = {name: (*seen.filled, *seen.priors) for name, seen in figures.shown().items()} if figures else {}
    if figures and figures.fig2:
        cells["fig2"] = ((figures.fig2.dataset, figures.fig2.method),)
    if ablations:
        cells["fig4"] = tuple((ablations.dataset, name) for name in (ablations.reference, *ablations.methods))
    for name, shown in cells.items():
        absent = [
            f"{method} on {dataset}: {why}" for dataset, method in shown if (why := params.absent(dataset, method))
        ]
        if absent and (name != "fig3" or len(absent) == len(shown)):
            lacks[f"figures/{name}"] = absent[0]
    if ablations and "figures/fig4" in lacks:
        kept = {name: method for name, method in params.methods.items() if name not in ablations.methods}
        changes |= {"ablations": None, "methods": kept}
    if detection:
        searched = tuple(name for name in detection.datasets if name in datasets)
        changes["detection"] = detection.model_copy(update={"datasets": searched}) if searched else None
    if figures:
        three = figures.fig3
        if three:
            images = {name: count for name, count in three.images.items() if params.methods_of(name, three.methods)}
            detections = three.detections if three.detections in datasets else None
            three = three.model_copy(update={"images": images, "detections": detections})
        dropped = {name: None for name in cells if f"figures/{name}" in lacks and name != "fig4"}
        changes["figures"] = figures.model_copy(update={"fig3": three, **dropped})
    return params.model_copy(update=changes | {"datasets": datasets, "left_out": lacks})
