# The first 200 steps of `r1 report RUN --json`: step, loss, loss of the MTP layer, gradient norm, each with the 17 digits that
# tell one double from every other.
function value(s) { sub(/^[^:]*: /, "", s); sub(/,$/, "", s); return s }
/^   "step": / { step = value($0) }
/^   "loss": / { loss = value($0) }
/^   "mtp_loss": / { mtp = value($0) }
/^   "gradient_norm": / { if (step + 0 <= 200) print step, loss, mtp, value($0) }
