package normal

// Power returns the largest true positive rate of a test that tells the two datasets apart with a false positive rate of fpr:
// Phi(Phi^-1(fpr)+mu), the trade-off curve of mu-GDP (Dong, Roth, Su 2019, "Gaussian differential privacy"), 0 <= fpr <= 1.
func (g Gaussian) Power(fpr float64) (lo, hi float64, err error) {
	if err := g.check(); err != nil {
		return 0, 0, err
	}
	switch {
	case !within(fpr, 0, 1):
		return 0, 0, domain("fpr", fpr, "0 to 1")
	case fpr == 0 || fpr == 1:
		return fpr, fpr, nil
	}
	zLo, zHi := quantile(fpr)
	muLo, muHi := g.span()
	return sf(widen(zHi.minus(muLo), 1)).lower(), min(1, sf(widen(zLo.minus(muHi), -1)).upper()), nil
}

// widen moves a difference of two pairs by more than its rounding.
func widen(x pair, side float64) pair {
	return x.plus(pair{side * 0x1p-100 * (1 + x.abs().hi), 0})
}

// Advantage returns the largest difference of true and false positive rate, 2 Phi(mu/2) - 1 = Delta(0).
func (g Gaussian) Advantage() (lo, hi float64, err error) { return g.Delta(0) }
