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
	// Output: epsilon <= 2.5965 by rdp order 8.12182, <nil>
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
