package privacy_test

import (
	"fmt"

	"github.com/surefoot-ml/surefoot/privacy"
)

// One evaluation per epoch: a choice among checkpoints by a noisy score, and a histogram with discrete noise. Both touch every record.
func ExampleCompose() {
	choice := privacy.Exponential{Epsilon: 0.1, Relation: privacy.ReplaceOne}
	histogram := privacy.DiscreteGaussian{StdDev: 40, Sensitivity: 1, Relation: privacy.ReplaceOne}
	epoch, err := privacy.Compose(choice, histogram)
	if err != nil {
		fmt.Println(err)
		return
	}
	var spent privacy.RDP
	if err := spent.Add(epoch, 20); err != nil {
		fmt.Println(err)
		return
	}
	eps, err := spent.Epsilon(1e-6)
	fmt.Printf("%.2f %v\n", eps.Upper, err)
	// Output: 1.46 <nil>
}
