"""How fast: `scalepose benchmark`, from pictures and painted maps to a table, a receipt and a plot.

timing → pictures, crowds (what is worked on) → configurations (what is compared) → machine, memory → report, plot →
command. It needs no torch; how a training step spends its time is measured in `training.step_times`.
"""
