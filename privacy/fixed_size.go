package privacy

// FixedSize applies Gaussian to a batch of exactly Batch records, drawn uniformly without replacement from all Records; every step draws
// anew. It is no event for batches that are cut from one shuffled epoch.
//
// A record that enters displaces another one, so that even under AddRemove a sum moves by up to 2·Clip.
type FixedSize struct {
	// Batch is the number of records in a batch.
	Batch int `json:"batch"`
	// Records is the number of records to draw from; under AddRemove that of the larger of the two data sets.
	Records  int      `json:"records"`
	Gaussian Gaussian `json:"gaussian"`
}

// WithReplacement applies Gaussian to Draws records, each drawn uniformly and independently from all Records; a record that is drawn
// twice counts twice. Only AddRemove is accounted for.
type WithReplacement struct {
	// Draws is the number of records in a batch, up to 2^30.
	Draws int `json:"draws"`
	// Records is the number of records in the larger of the two data sets.
	Records  int      `json:"records"`
	Gaussian Gaussian `json:"gaussian"`
}

// Validate accepts 1 <= Batch <= Records (below Records under AddRemove, for the smaller data set must fill a batch too) and a valid
// Gaussian.
func (f FixedSize) Validate() error {
	if f.Records < 1 {
		return &InvalidError{"FixedSize.Records", f.Records, "a whole number from 1"}
	}
	if f.Batch < 1 || f.Batch > f.Records {
		return &InvalidError{"FixedSize.Batch", f.Batch, "a whole number from 1 to Records"}
	}
	if err := f.Gaussian.Validate(); err != nil {
		return err
	}
	if f.Gaussian.Relation == AddRemove && f.Batch == f.Records {
		return &InvalidError{"FixedSize.Batch", f.Batch, "below Records under AddRemove"}
	}
	return nil
}

// Validate accepts Draws from 1 to 2^30, Records from 1 on and a valid Gaussian under AddRemove.
func (w WithReplacement) Validate() error {
	if w.Records < 1 {
		return &InvalidError{"WithReplacement.Records", w.Records, "a whole number from 1"}
	}
	if w.Draws < 1 || w.Draws > maxRecords { // the number of likely hits grows with it
		return &InvalidError{"WithReplacement.Draws", w.Draws, "a whole number from 1 to 2^30"}
	}
	if err := w.Gaussian.Validate(); err != nil {
		return err
	}
	if r := w.Gaussian.Relation; r != AddRemove {
		return &InvalidError{"WithReplacement.Gaussian.Relation", r, "AddRemove"}
	}
	return nil
}

func (FixedSize) kind() string         { return "fixed_size" }
func (f FixedSize) relation() Relation { return f.Gaussian.Relation }

// lower: under AddRemove draw a batch S of one record less from the others, and one more record y from the rest. Without the record x the
// sum is that of S and y, with it, it is that with probability 1-Batch/Records and that of S and x otherwise. Given S and y the outputs are
// N(0) and (1-q)N(0)+qN(x-y), |x-y| <= 2·Clip: the pair of Poisson at twice the sensitivity (Ganesh 2024, "Tight group-level DP guarantees
// for DP-SGD with sampling via mixture of Gaussians mechanisms", arXiv 2401.10294, Theorem 3.3, for one record). It is attained where
// all other records are -x.
func (f FixedSize) lower() []leaf {
	sigma := f.Gaussian.doubled().Multiplier()
	q := ratio(f.Batch, f.Records)
	if q == 1 {
		return []leaf{{sampledGaussian{1, sigma}, 1}}
	}
	if f.Gaussian.Relation == AddRemove {
		return []leaf{{sampledGaussian{q, sigma}, 1}}
	}
	return []leaf{{replacedGaussian{q, sigma}, 1}}
}

// doubled is g with the sensitivity 2·Clip whatever its relation.
func (g Gaussian) doubled() Gaussian {
	g.Relation = ReplaceOne
	return g
}

// ratio returns m/n rounded up, for 1 <= m <= n.
func ratio(m, n int) float64 {
	if m == n {
		return 1
	}
	return min(1, up(float64(m)/float64(n), 4))
}

func (WithReplacement) kind() string         { return "with_replacement" }
func (w WithReplacement) relation() Relation { return w.Gaussian.Relation }

// lower: draw every place of the batch from the others first, then let each place be hit by the record x with probability 1/Records. Given
// the draws, the sum moves by the sum of x-y over the places hit, which j hits bound by 2j·Clip: a mixture with the weights of
// Binomial(Draws, 1/Records) against a Gaussian.
func (w WithReplacement) lower() []leaf {
	unit := over(1, w.Gaussian.doubled().Multiplier())
	return []leaf{{binomialMixture(int64(w.Draws), ratio(1, w.Records), unit), 1}}
}
