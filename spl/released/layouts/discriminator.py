"""The patch discriminator that SPL, RN and EdgeConnect release; their files hold its first layer twice."""

from spl.weights.fit import Rules

DISCRIMINATOR_RULES: Rules = tuple((rf"^convs\.{i}\.", f"conv{i + 1}.0.") for i in range(5))
