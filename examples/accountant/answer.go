package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/surefoot-ml/surefoot/privacy"
)

// Answer is the answer to a Case. Fields that do not apply are absent.
type Answer struct {
	ID        string       `json:"id"`
	EpsUpper  *float64     `json:"eps_upper,omitempty"`
	EpsLower  *float64     `json:"eps_lower,omitempty"`
	Method    string       `json:"method,omitempty"`
	Converged *bool        `json:"converged,omitempty"`
	RDP       []float64    `json:"rdp,omitempty"`
	RDPBest   []float64    `json:"rdp_best,omitempty"`
	RDPEps    *float64     `json:"rdp_eps,omitempty"`
	RDPOrder  *float64     `json:"rdp_order,omitempty"`
	DeltaAt   [][2]float64 `json:"delta_at,omitempty"`
	Sigma     *float64     `json:"sigma,omitempty"`
	Steps     *int         `json:"steps,omitempty"`
	Mu        *float64     `json:"mu,omitempty"`
	MuUniform *float64     `json:"mu_uniform,omitempty"`
	NS        int64        `json:"ns"`
	Error     string       `json:"error,omitempty"`
}

// answer answers one line of input, whatever it holds.
func answer(line []byte) Answer {
	var c Case
	start := time.Now()
	if err := json.Unmarshal(line, &c); err != nil {
		return Answer{ID: c.ID, Error: "not a case: " + err.Error()}
	}
	a, err := c.answer()
	a.ID, a.NS = c.ID, time.Since(start).Nanoseconds()
	if err != nil {
		return Answer{ID: a.ID, NS: a.NS, Error: err.Error()}
	}
	return a
}

func (c *Case) answer() (Answer, error) {
	switch c.Family {
	case "calib_gaussian", "calib_poisson_gaussian":
		return c.calibrate()
	case "gdp_clt_mu":
		return c.centralLimit()
	case "rdp_convert":
		return c.convert()
	}
	parts, err := c.events()
	if err != nil {
		return Answer{}, err
	}
	if len(parts) == 0 {
		return Answer{}, errors.New("no parts")
	}
	var a Answer
	var best privacy.Best
	var rdp privacy.RDP
	for _, p := range parts {
		if err := errors.Join(best.Add(p.event, p.count), rdp.Add(p.event, p.count)); err != nil {
			return Answer{}, err
		}
	}
	for _, o := range c.orders() {
		d, err := rdp.Renyi(o)
		if err != nil {
			return Answer{}, err
		}
		if math.IsInf(d, 1) {
			return Answer{}, fmt.Errorf("nothing is known at order %g", o)
		}
		a.RDP = append(a.RDP, d)
	}
	if f, ok := parts[0].event.(privacy.FixedSize); ok && c.Family == "rdp_wor_gaussian" {
		if err := a.published(f, parts[0].count, c.orders()); err != nil {
			return Answer{}, err
		}
	}
	if c.Delta != nil {
		eps, err := best.Epsilon(*c.Delta)
		if err != nil {
			return Answer{}, err
		}
		a.EpsUpper, a.EpsLower, a.Method, a.Converged = &eps.Upper, &eps.Lower, eps.Method, &eps.Converged
		if r, err := rdp.Epsilon(*c.Delta); err == nil && !math.IsInf(r.Upper, 1) {
			a.RDPEps = &r.Upper
			if r.Order > 0 {
				a.RDPOrder = &r.Order
			}
		}
	}
	for _, eps := range c.EpsGrid {
		d, err := best.Delta(eps)
		if err != nil {
			return Answer{}, err
		}
		a.DeltaAt = append(a.DeltaAt, [2]float64{eps, d.Upper})
	}
	return a, nil
}

// published puts the bound that the family is named for into rdp, and the smaller one of this library into rdp_best.
func (a *Answer) published(f privacy.FixedSize, steps int, orders []float64) error {
	bounds := make([]float64, len(orders))
	for i, o := range orders {
		if o != math.Trunc(o) || o > 256 || f.Gaussian.Relation != privacy.ReplaceOne {
			return nil // there is none
		}
		one, err := f.WangBound(int(o))
		if err != nil {
			return err
		}
		bounds[i] = float64(steps) * one
	}
	a.RDP, a.RDPBest = bounds, a.RDP
	return nil
}

// calibrate returns the least noise for a target, over the sensitivity.
func (c *Case) calibrate() (Answer, error) {
	n, err := c.steps()
	if err != nil {
		return Answer{}, err
	}
	q, err := c.q()
	if err != nil {
		return Answer{}, err
	}
	r, err := c.relation()
	if err != nil {
		return Answer{}, err
	}
	if c.Delta == nil {
		return Answer{}, errors.New("no delta")
	}
	found, err := privacy.CalibrateNoise(privacy.Budget{Epsilon: c.TargetEps, Delta: *c.Delta}, n, func(noise float64) privacy.Event {
		g := privacy.Gaussian{StdDev: noise, Clip: 1, Relation: r}
		if q == 1 {
			return g
		}
		return privacy.Poisson{Rate: q, Gaussian: g}
	})
	if err != nil {
		return Answer{}, err
	}
	eps := found.Achieved
	return Answer{
		Sigma: &found.Value, Steps: &found.Steps,
		EpsUpper: &eps.Upper, EpsLower: &eps.Lower, Method: eps.Method, Converged: &eps.Converged,
	}, nil
}

// convert converts a Rényi curve that is given at some orders.
func (c *Case) convert() (Answer, error) {
	curve := privacy.Curve{Orders: c.Orders, Divergences: c.RDP}
	var a Answer
	if c.Delta != nil {
		eps, order, err := curve.Epsilon(*c.Delta)
		if err != nil {
			return Answer{}, err
		}
		a.EpsUpper, a.EpsLower, a.Method, a.Converged = &eps.Upper, &eps.Lower, eps.Method, &eps.Converged
		a.RDPEps, a.RDPOrder = &eps.Upper, &order
	}
	for _, eps := range c.EpsGrid {
		d, _, err := curve.Delta(eps)
		if err != nil {
			return Answer{}, err
		}
		a.DeltaAt = append(a.DeltaAt, [2]float64{eps, d.Upper})
	}
	return a, nil
}

// centralLimit returns the mu of the central limit for Poisson sampling (Bu et al. 2020) and for batches of a fixed size: approximations.
func (c *Case) centralLimit() (Answer, error) {
	n, err := c.steps()
	if err != nil {
		return Answer{}, err
	}
	q, err := c.q()
	if err != nil {
		return Answer{}, err
	}
	if !(q > 0 && q <= 1 && c.Sigma > 0 && n > 0) {
		return Answer{}, fmt.Errorf("q = %g, sigma = %g, steps = %d: want a rate up to 1, noise and steps", q, c.Sigma, n)
	}
	s, root := c.Sigma, q*math.Sqrt(float64(n))
	below := func(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }
	poisson := root * math.Sqrt(math.Expm1(1/(s*s)))
	uniform := math.Sqrt2 * root * math.Sqrt(math.Exp(1/(s*s))*below(1.5/s)+3*below(-.5/s)-2)
	return Answer{Mu: &poisson, MuUniform: &uniform}, nil
}
