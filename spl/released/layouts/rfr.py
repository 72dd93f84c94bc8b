"""The released RFR file: `{n_iter, generator, optimizer_G}`, keys without prefix."""

from spl.weights.fit import Rules

RFR_RULES: Rules = (
    (r"^entry1\.", "Pconv1."),
    (r"^entry1_norm\.", "bn1."),
    (r"^entry2\.", "Pconv2."),
    (r"^entry2_norm\.", "bn20."),
    (r"^identification\.conv(\d)\.", r"Pconv2\1."),
    (r"^identification\.norm\.", "bn2."),
    (r"^upsampling\.conv\.", "Tconv."),
    (r"^upsampling\.norm\.", "bn3."),
    (r"^tail\.", "tail1."),
    (r"^tail_bottleneck\.layer(\d)\.conv\.", r"tail2.conv\1."),
    (r"^tail_bottleneck\.layer(\d)\.norm\.", r"tail2.bn\1."),
    *((rf"^reasoning\.encoder\.{i}\.", f"RFRModule.enc_{i + 1}.") for i in range(6)),
    (r"^reasoning\.decoder(\d)\.", r"RFRModule.dec_\1."),
    (r"^reasoning\.attention\.ratio", "RFRModule.att.att.ratio"),
    (r"^reasoning\.attention\.", "RFRModule.att."),
    (r"^(RFRModule\.(enc|dec)_\d)\.conv\.", r"\1.0."),
    (r"^(RFRModule\.(enc|dec)_\d)\.norm\.", r"\1.1."),
)
