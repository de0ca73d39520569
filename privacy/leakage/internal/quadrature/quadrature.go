// Package quadrature integrates functions of one variable. [Integrate] is all there is.
package quadrature

import "math"

// Integrate returns the integral of f between neighbouring cuts, which must be sorted, to about the tolerance, absolutely, for each piece.
// It halves a piece until Gauss's rule of 7 points and Kronrod's extension of it to 15 agree, 24 times at most: what f does not show at the
// points where it is asked is missed.
func Integrate(f func(float64) float64, tolerance float64, cuts ...float64) float64 {
	sum := 0.0
	for i := 1; i < len(cuts); i++ {
		if cuts[i] > cuts[i-1] {
			sum += piece(f, cuts[i-1], cuts[i], tolerance, 24)
		}
	}
	return sum
}

func piece(f func(float64) float64, from, to, tolerance float64, depth int) float64 {
	coarse, fine := rules(f, from, to)
	if depth == 0 || !(math.Abs(fine-coarse) > tolerance) {
		return fine
	}
	mid := from + (to-from)/2
	return piece(f, from, mid, tolerance/2, depth-1) + piece(f, mid, to, tolerance/2, depth-1)
}

func rules(f func(float64) float64, from, to float64) (gauss, kronrod float64) {
	mid, half := from+(to-from)/2, (to-from)/2
	for i, x := range nodes {
		v := f(mid + half*x)
		if x != 0 {
			v += f(mid - half*x)
		}
		kronrod += weights[i] * v
		if i%2 == 1 {
			gauss += gaussWeights[i/2] * v
		}
	}
	return gauss * half, kronrod * half
}

// The points and weights, from the outermost to the middle, are those of Piessens et al. 1983, "QUADPACK"; a test derives what they must do.
var (
	nodes = [8]float64{
		0.991455371120812639206854697526329, 0.949107912342758524526189684047851,
		0.864864423359769072789712788640926, 0.741531185599394439863864773280788,
		0.586087235467691130294144691693013, 0.405845151377397166906606412076961,
		0.207784955007898467600689403773245, 0,
	}
	weights = [8]float64{
		0.022935322010529224963732008058970, 0.063092092629978553290700663189204,
		0.104790010322250183839876322541518, 0.140653259715525918745189590510238,
		0.169004726639267902826583426598550, 0.190350578064785409913256402421014,
		0.204432940075298892414161999234649, 0.209482141084727828012999174891714,
	}
	gaussWeights = [4]float64{
		0.129484966168869693270611432679082, 0.279705391489276667901467771423780,
		0.381830050505118944950369775488975, 0.417959183673469387755102040816327,
	}
)
