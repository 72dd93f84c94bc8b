"""An experiment without the datasets and the runs that `left_out` names."""

from spl.config.experiment import Params


def without_left_out(params: Params) -> Params:
    """Drop the datasets that are left out, and what cannot be shown without them or without a run.

    `left_out` says of a figure that is dropped, as `figures/fig5`, which run it lacks. Figure 3 keeps a run's place
    empty.
    """
    lacks, figures, ablations, detection = dict(params.left_out), params.figures, params.ablations, params.detection
    datasets = {name: dataset for name, dataset in params.datasets.items() if name not in lacks}
    cells = {name: (*seen.filled, *seen.priors) for name, seen in figures.shown().items()} if figures else {}
    if figures and figures.fig2:
        cells["fig2"] = ((figures.fig2.dataset, figures.fig2.method),)
    if ablations:
        cells["fig4"] = tuple((ablations.dataset, name) for name in (ablations.reference, *ablations.methods))
    for name, shown in cells.items():
        absent = [f"{m} on {d}: {why}" for d, m in shown if (why := params.absent(d, m))]
        if absent and (name != "fig3" or len(absent) == len(shown)):
            lacks[f"figures/{name}"] = absent[0]
    methods = params.methods
    if ablations and "figures/fig4" in lacks:
        methods = {name: method for name, method in methods.items() if name not in ablations.methods}
        ablations = None
    if detection:
        searched = tuple(name for name in detection.datasets if name in datasets)
        detection = detection.model_copy(update={"datasets": searched}) if searched else None
    if figures:
        kept = {name: section for name, section in figures if f"figures/{name}" not in lacks}
        if three := kept.get("fig3"):
            images = {name: count for name, count in three.images.items() if params.methods_of(name, three.methods)}
            detections = three.detections if three.detections in datasets else None
            kept["fig3"] = three.model_copy(update={"images": images, "detections": detections})
        figures = type(figures)(**kept)
    changes = {"datasets": datasets, "methods": methods, "left_out": lacks, "ablations": ablations}
    return params.model_copy(update=changes | {"detection": detection, "figures": figures})
