"""The released LaMa files: a Lightning checkpoint, prefix `generator.`, or the generator's own state dict."""

from spl.weights.fit import Rules

LAMA_RULES: Rules = (
    (r"^layers\.([123])\.conv\.", r"model.\1.ffc.convl2l."),
    (r"^layers\.([123])\.norm\.", r"model.\1.bn_l."),
    (r"^layers\.4\.to_local\.conv\.", "model.4.ffc.convl2l."),
    (r"^layers\.4\.to_local\.norm\.", "model.4.bn_l."),
    (r"^layers\.4\.to_global\.conv\.", "model.4.ffc.convl2g."),
    (r"^layers\.4\.to_global\.norm\.", "model.4.bn_g."),
    (r"^layers\.", "model."),
    (r"\.local_to_local\.", ".ffc.convl2l."),
    (r"\.local_to_global\.", ".ffc.convl2g."),
    (r"\.global_to_local\.", ".ffc.convg2l."),
    (r"\.global_to_global\.", ".ffc.convg2g."),
    (r"\.norm_local\.", ".bn_l."),
    (r"\.norm_global\.", ".bn_g."),
    (r"\.squeeze\.conv\.", ".conv1.0."),
    (r"\.squeeze\.norm\.", ".conv1.1."),
    (r"\.fourier\.mix\.conv\.", ".fu.conv_layer."),
    (r"\.fourier\.mix\.norm\.", ".fu.bn."),
    (r"\.expand\.", ".conv2."),
)
