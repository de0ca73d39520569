package contour

import "math"

// grid is the trapezoid rule for the tilted law p_c = n0 r^p(c) / Z of one part, Z = e^K(c). Node j, counted from the right, lies at
// end - (j+1/2) step, exactly: all nodes are multiples of step/2 and the ends have few bits.
type grid struct {
	step, end float64 // end: half a step right of the last node
	cut       bool    // the law itself ends there
	power     float64
	ell, w    []float64 // l and w at the nodes
	wt        []float64 // weights, sum 1
	slip      []float64 // error of ell
	logZ      float64   // K(c) as computed
	top       float64   // largest log-weight
	density   float64   // p_c at the end, at most
	tail      float64   // mass of p_c outside the nodes, at most; also the weight of the nodes left out on the left
	mean, vr  float64   // of the loss +-l
	meanW     float64   // of w
	slack     float64   // eta bar: mean relative error of the weights
	buf       [4][]float64
}

// room makes the buffers large enough for n nodes.
func (g *grid) room(n int) {
	if cap(g.buf[0]) < n {
		all := make([]float64, 4*n)
		for i := range g.buf {
			g.buf[i] = all[i*n : i*n : (i+1)*n]
		}
	}
}

const (
	maxGrid = 20000 // nodes in x
	longest = 5000  // right end of a grid
)

// fill lays the grid at c with a step of few bits, keeping nodes within e^-drop of the largest. It reports whether it fits.
func (g *grid) fill(l *law, c, step, drop float64, limit int) bool {
	g.power = l.power(c)
	g.step = step
	span := math.Sqrt(2 * drop)
	end := l.reach(c) + span
	full := (c+1)*l.s + span // right of (c+1)s the slope of log n0 r^p is at most that of a Gaussian
	falls := 0.0
	g.cut = l.cut < full
	switch {
	case g.cut:
		end = l.cut
	case l.add: // log-concave
	case full > longest:
		return false
	default:
		peak, _, _ := l.at(end - span)
		floor := max(g.power*peak-(end-span)*(end-span)/2, 0) - drop // at 0 the log-weight is about 0
		for ; end < full; end += span / 8 {
			e, _, _ := l.at(end)
			if falls = l.falls(c, end-1); falls >= 1 && g.power*e-end*end/2 < floor {
				break
			}
		}
		end = min(end, full)
		falls = l.falls(c, end-1)
	}
	if !g.cut {
		end = math.Ceil(end*64) / 64
	}
	if !((end+span)/step < float64(limit)) {
		return false
	}
	g.room(int((end+span)/step) + 8)
	ell, w, wt, slip := g.buf[0][:0], g.buf[1][:0], g.buf[2][:0], g.buf[3][:0]
	top := math.Inf(-1)
	first := 0
	for j := 0; ; j++ {
		if j > limit {
			return false
		}
		y := end - (float64(j)+0.5)*step
		e, wj, sl := l.at(y)
		gj := g.power*e - y*y/2
		if gj > top {
			top = gj
		} else if gj < top-drop {
			slope := -y + g.power*l.s*wj
			if slope > 1 && (l.add || y < 0) {
				break
			}
		}
		ell, w, wt, slip = append(ell, e), append(w, wj), append(wt, gj), append(slip, sl)
	}
	g.buf = [4][]float64{ell, w, wt, slip}
	if !g.cut {
		for first < len(wt)-1 && wt[first] < top-drop {
			first++
		}
	}
	g.end = end - float64(first)*step
	g.ell, g.w, g.wt, g.slip = ell[first:], w[first:], wt[first:], slip[first:]
	g.top = top
	var sum, low, mean, meanW float64 // sum compensated (Neumaier, all terms positive): within 2u
	for j, gj := range g.wt {
		e := math.Exp(gj - top)
		g.wt[j] = e
		t := sum + e
		if sum >= e {
			low += (sum - t) + e
		} else {
			low += (e - t) + sum
		}
		sum = t
		mean += e * g.ell[j]
		meanW += e * g.w[j]
	}
	sum += low
	inv := 1 / sum
	for j := range g.wt {
		g.wt[j] *= inv
	}
	mean *= inv
	g.meanW = meanW * inv
	g.logZ = math.Log(sum*step) - logRoot2Pi + top
	var vr float64
	for j, x := range g.ell {
		vr += g.wt[j] * (x - mean) * (x - mean)
	}
	g.mean, g.vr = mean, vr
	if l.add {
		g.mean = -mean
	}
	g.ends(l, c, first, falls, drop)
	return sum > 0 && !math.IsInf(top, 0) && !math.IsNaN(g.logZ+vr)
}

const logRoot2Pi = 0.91893853320467274178 // log(2 pi)/2

// falls bounds -(log n0 r^p)' from below for all positions >= y in the remove direction: w increases, so on [a,b] the slope is at
// least a - p s w(b), and right of p s it is at least y - p s.
func (l *law) falls(c, y float64) float64 {
	top := (c + 1) * l.s
	least := math.Inf(1)
	for y < top+1 {
		next := y + 1
		least = min(least, y-top*l.tilt(next))
		y = next
		if least < 1 {
			return least
		}
	}
	return min(least, y-top)
}

// ends bounds the mass that the nodes leave out. Left of the nodes log f has slope >= the slope at the last node (both directions: -y
// and -w increase to the left; w >= 0), so that the integral, and by monotony the sum over the nodes left out, is at most f/slope.
func (g *grid) ends(l *law, c float64, trimmed int, falls, drop float64) {
	n := len(g.wt)
	y := g.end - (float64(n)-0.5)*g.step
	slope := -y
	if l.add {
		slope += g.power * l.s * g.w[n-1]
	}
	g.tail = g.wt[n-1] / (g.step * slope)
	if !(slope > 0) {
		g.tail = math.Inf(1)
	}
	right := g.end - g.step/2
	g.density = g.wt[0] / g.step
	switch {
	case g.cut:
		e, _, _ := l.at(g.end)
		g.density = math.Exp(g.power*e-g.end*g.end/2-g.logZ-logRoot2Pi) * (1 + 1e-9)
	case l.add: // log-concave: beyond the end the slope only steepens
		fall := right + c*l.s*g.w[0]
		if !(fall > 0) {
			fall = 0
		}
		g.tail += g.wt[0] / (g.step * fall)
	case trimmed == 0:
		g.tail += g.wt[0] / (g.step * falls)
	default: // trimmed nodes weigh at most e^-drop each; inside a cell log f exceeds the larger end by at most step^2/8
		bulge := math.Exp(g.step * g.step / 8)
		g.density = bulge * max(g.density, math.Exp(-drop)/g.step)
		g.tail += bulge * (g.wt[0] + math.Exp(-drop)*(float64(trimmed)+1/(g.step*falls)))
	}
	g.tail *= 1.05
}

// slacken sums up the rounding of the weights and returns the slope A_R of the error of the characteristic function: without
// quadrature, |phi-hat(t) - phi(t)| <= A_R t. Per node the log-weight errs by eta = |p| slip + the roundings of its own arithmetic.
// A normalised weight errs by eta + eta bar relative; it multiplies |e^(i theta)-1| <= |theta|, theta = t (l - m). The
// constant for the rotations and sums is derived in phase.go. The centre m itself carries no error: whatever it is, e^(itm) is put back.
func (g *grid) slacken() float64 {
	m := math.Abs(g.mean)
	signed := g.mean
	if g.power < 0 {
		signed = -signed
	}
	var slack, line, flat, dist float64
	for j, wt := range g.wt {
		y := g.end - (float64(j)+0.5)*g.step
		e := g.ell[j]
		pl := math.Abs(g.power * e)
		half := y * y / 2
		gj := pl + half
		eta := math.Abs(g.power)*g.slip[j] + unit*(pl+half+gj+math.Abs(g.power*e-half-g.top)+5)
		slack += wt * eta
		d := math.Abs(e - signed)
		line += wt * d * eta
		dist += wt * d
		flat += wt * (g.slip[j] + 2*unit*(math.Abs(e)+m))
	}
	n := float64(len(g.wt))
	g.slack = 1.05 * slack
	return 1.05 * (line + dist*(g.slack+rotation(n)) + flat)
}

// errK is the error of logZ as a value of K(c) without quadrature: weights, sum (2u), products and the logarithm.
func (g *grid) errK() float64 {
	return g.slack + g.tail + unit*(8+4*math.Abs(math.Log(g.step))+4*math.Abs(g.top)+4*math.Abs(g.logZ))
}
