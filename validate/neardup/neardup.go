// Package neardup finds texts of a data set that are nearly the same, in it and between its splits, in one pass.
//
// For most uses make an [Index] with [New], give it each row with [Index.Add], and look at its [Report]; [Leaks] compares a
// test set with a training set. How alike two texts are is their Jaccard similarity: of the different shingles (runs of 3 words)
// that either one has, the share that both have. Texts are compared without case, width, Latin accents, punctuation and spacing;
// they are never changed.
//
// Of each different text 128 hashes are kept (MinHash: Broder, "On the resemblance and containment of documents", 1997), each
// of which is equal in two texts of similarity s with probability s. Texts are compared that agree in all hashes of one
// band at least (Indyk and Motwani 1998), and the share of hashes in which they agree estimates s with the standard
// error √(s(1-s)/128), 0.035 at s = 0.8. They are reported if the estimate reaches the threshold. The probability
// of that is computed exactly by [Options.Probability]; with the default threshold of 0.8 it is 0.9996 at s = 0.9, 0.94 at
// 0.85, 0.50 at 0.8, 0.09 at 0.75, 0.005 at 0.7 and below 10⁻⁶ at 0.6.
//
// Findings are advice for people. The hashes are the same everywhere and known to everyone, so that somebody who wants to can
// write a text that escapes or is mistaken.
package neardup

import (
	"errors"
	"fmt"
	"math"
)

const hashes = 128 // of a text

// Options are the zero Options for most uses.
type Options struct {
	Threshold float64 // similarity from which texts are reported, in [0.3, 0.95]; 0.8 if zero
	Words     int     // of a shingle, in [1, 16]; 3 if zero. A shorter text is one shingle
	Texts     int     // different texts kept, 320 bytes each, at most 2³⁰; a million if zero
	Labels    int     // different labels kept; 1000 if zero
	Keep      int     // pairs listed; 20 if zero
	// Compare is how many texts a text is compared with in each band at most, besides the first: 64 if zero. Only sets in which
	// more texts are nearly the same need more, and are clustered well without.
	Compare int
}

var (
	// ErrOptions is matched by the error of [New] for options that make no sense.
	ErrOptions = errors.New("neardup: impossible options")
	// ErrMerge is returned for indexes of different options.
	ErrMerge = errors.New("neardup: indexes of different options do not merge")
)

func (o Options) filled() (Options, error) {
	if o.Threshold == 0 {
		o.Threshold = 0.8
	}
	if !(o.Threshold >= 0.3 && o.Threshold <= 0.95) {
		return o, fmt.Errorf("%w: threshold is %v, must be in [0.3, 0.95]", ErrOptions, o.Threshold)
	}
	for _, v := range []struct {
		name       string
		value      *int
		usual, max int
	}{
		{"words", &o.Words, 3, 16},
		{"texts", &o.Texts, 1000000, 1 << 30},
		{"labels", &o.Labels, 1000, 1 << 30},
		{"keep", &o.Keep, 20, 1 << 30},
		{"compare", &o.Compare, 64, 1 << 30},
	} {
		if *v.value == 0 {
			*v.value = v.usual
		}
		if *v.value < 1 || *v.value > v.max {
			return o, fmt.Errorf("%w: %s is %d, must be in [1, %d]", ErrOptions, v.name, *v.value, v.max)
		}
	}
	return o, nil
}

// bands returns how the hashes are cut into bands: the longest with which two texts at the threshold agree in a band with a
// probability of at least 0.995.
func (o Options) bands() (bands, length int) {
	for length = hashes; length > 1; length-- {
		bands = hashes / length
		if math.Pow(1-math.Pow(o.Threshold, float64(length)), float64(bands)) <= 0.005 {
			return bands, length
		}
	}
	return hashes, 1
}

// least is in how many hashes texts agree that are reported.
func (o Options) least() int { return int(math.Ceil(o.Threshold*hashes - 1e-9)) }

// Probability returns the probability that two texts of a similarity in [0, 1] are reported, or NaN for impossible options. It is
// exact but for rounding, if each hash is as good as random: it is that of least matches among 128 that are
// independent, less that of as many without a full band.
func (o Options) Probability(similarity float64) float64 {
	o, err := o.filled()
	if err != nil || !(similarity >= 0 && similarity <= 1) {
		return math.NaN()
	}
	s := similarity + (1-similarity)/(1<<16) // hashes of 16 bits are equal by chance, too
	bands, length := o.bands()
	open := make([]float64, length) // the probabilities of 0 to length-1 matches in a band
	for j := range open {
		open[j] = choose(length, j) * math.Pow(s, float64(j)) * math.Pow(1-s, float64(length-j))
	}
	without := []float64{1} // those of matches in all bands, none of them full
	for range bands {
		without = convolve(without, open)
	}
	for range hashes - bands*length {
		without = convolve(without, []float64{1 - s, s})
	}
	var p float64
	for m := o.least(); m <= hashes; m++ {
		p += choose(hashes, m) * math.Pow(s, float64(m)) * math.Pow(1-s, float64(hashes-m))
		if m < len(without) {
			p -= without[m]
		}
	}
	return min(max(p, 0), 1)
}

func choose(n, k int) float64 {
	c := 1.0
	for i := range min(k, n-k) {
		c = c * float64(n-i) / float64(i+1)
	}
	return c
}

func convolve(a, b []float64) []float64 {
	c := make([]float64, len(a)+len(b)-1)
	for i, x := range a {
		for j, y := range b {
			c[i+j] += x * y
		}
	}
	return c
}
