package noise

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/privacy"
)

// The claim of the package comment, on grids coarse enough to see it: moments of the discrete noise, summed point by point, against
// the curve of the continuous noise that is charged.
func TestContinuousCurveBoundsDiscreteNoise(t *testing.T) {
	t.Parallel()
	visible := 0
	for _, s := range []float64{1, 1.5, 2, 3, 5} {
		for _, mu := range [][]int{{1}, {2}, {3}, {1, 1}, {2, 1}, {3, -2}} {
			shift := 0.0
			for _, m := range mu {
				shift += float64(m * m)
			}
			length := math.Sqrt(shift)
			excess := 2*math.Exp(-13*s*s/length)/-math.Expm1(-2*math.Pi*math.Pi*s*s/shift) + 6*float64(len(mu))*length*math.Exp(-3.7*s*s)
			for _, q := range []float64{.01, .3, 1} {
				for _, order := range []float64{1.01, 1.5, 2, 2.7, 3, 5.5, 8} {
					e := privacy.Poisson{Rate: q, Gaussian: privacy.Gaussian{StdDev: s, Clip: length, Relation: privacy.AddRemove}}
					r, err := privacy.Renyi(e, order)
					require.NoError(t, err)
					continuous := math.Exp((order - 1) * r)
					discrete := moment(s, mu, q, order)
					rounding := 1e-11 * continuous
					switch {
					case order == math.Trunc(order):
						require.InDelta(t, continuous, discrete, rounding, "s %v mu %v q %v order %v", s, mu, q, order)
					case q == 1:
						require.LessOrEqual(t, discrete, continuous+rounding, "s %v mu %v order %v", s, mu, order)
					default:
						require.LessOrEqual(t, discrete, continuous*(1+excess)+rounding, "s %v mu %v q %v order %v", s, mu, q, order)
					}
					if math.Abs(discrete/continuous-1) > 1e-10 {
						visible++
					}
				}
			}
		}
	}
	require.Greater(t, visible, 10, "no grid was coarse enough to test anything")
}

// moment is E[(1-q+q·e^l)^a] under the discrete Gaussian in one or two dimensions.
func moment(s float64, mu []int, q, a float64) float64 {
	reach := int(14*s + 12*3*8) // the mass of the moment sits near a·mu
	second := []int{0}
	if len(mu) == 2 {
		second = second[:0]
		for y := -reach / 4; y <= reach/4; y++ {
			second = append(second, y)
		}
	} else {
		mu = append(mu, 0)
	}
	square := float64(mu[0]*mu[0] + mu[1]*mu[1])
	sum, total := 0.0, 0.0
	for x := -reach; x <= reach; x++ {
		for _, y := range second {
			density := math.Exp(-float64(x*x+y*y) / (2 * s * s))
			l := (2*float64(x*mu[0]+y*mu[1]) - square) / (2 * s * s)
			r := math.Log1p(q * math.Expm1(min(l, 600)))
			if l > 600 {
				r = l + math.Log(q)
			}
			sum += math.Exp(-float64(x*x+y*y)/(2*s*s) + a*r)
			total += density
		}
	}
	return sum / total
}
