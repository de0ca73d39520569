package privacy_test

import (
	"errors"
	"fmt"

	"github.com/surefoot-ml/surefoot/privacy"
)

func ExampleRDP() {
	step := privacy.Poisson{
		Rate:     256. / 60000,
		Gaussian: privacy.Gaussian{StdDev: 1.1, Clip: 1, Relation: privacy.AddRemove},
	}
	var spent privacy.RDP
	for range 14062 {
		if err := spent.Step(step); err != nil {
			fmt.Println(err)
			return
		}
	}
	eps, err := spent.Epsilon(1e-5)
	fmt.Printf("epsilon <= %.4f by %s, %v\n", eps.Upper, eps.Method, err)
	// Output: epsilon <= 2.5965 by rdp order 8.12076, <nil>
}

func ExampleFilter() {
	step := privacy.Poisson{Rate: 0.01, Gaussian: privacy.Gaussian{StdDev: 1, Clip: 1, Relation: privacy.AddRemove}}
	filter, err := privacy.NewFilter(privacy.Budget{Epsilon: 2, Delta: 1e-5}, step)
	if err != nil {
		fmt.Println(err)
		return
	}
	done := 0
	for {
		if err := filter.Spend(step); err != nil { // before anything of the step is released
			fmt.Println(done, "steps, then exhausted:", errors.Is(err, privacy.ErrExhausted))
			break
		}
		done++
	}
	fmt.Printf("spent %.3f\n", filter.Spent().Upper)
	// Output:
	// 881 steps, then exhausted: true
	// spent 2.000
}

func ExampleRenyi() {
	r, err := privacy.Renyi(privacy.Gaussian{StdDev: 2, Clip: 1, Relation: privacy.AddRemove}, 8)
	fmt.Printf("%.6f %v\n", r, err)
	// Output: 1.000000 <nil>
}

func ExampleBest() {
	step := privacy.Poisson{
		Rate:     256. / 60000,
		Gaussian: privacy.Gaussian{StdDev: 1.1, Clip: 1, Relation: privacy.AddRemove},
	}
	var spent privacy.Best
	if err := spent.Add(step, 14062); err != nil {
		fmt.Println(err)
		return
	}
	eps, err := spent.Epsilon(1e-5)
	fmt.Printf("%.6f <= epsilon <= %.6f by %s, %v\n", eps.Lower, eps.Upper, eps.Method, err)
	// Output: 2.381597 <= epsilon <= 2.381597 by contour, <nil>
}

func ExampleTradeoff() {
	var spent privacy.Best
	step := privacy.Poisson{Rate: 0.01, Gaussian: privacy.Gaussian{StdDev: 1, Clip: 1, Relation: privacy.AddRemove}}
	if err := spent.Add(step, 1000); err != nil {
		fmt.Println(err)
		return
	}
	points, err := privacy.Tradeoff(&spent, 0.001, 0.01, 0.1)
	for _, p := range points {
		fmt.Printf("false positives %.3f, true positives at most %.3f\n", p.FPR, p.TPR)
	}
	fmt.Println(err)
	// Output:
	// false positives 0.001, true positives at most 0.004
	// false positives 0.010, true positives at most 0.029
	// false positives 0.100, true positives at most 0.194
	// <nil>
}
