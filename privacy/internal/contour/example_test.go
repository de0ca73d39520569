package contour_test

import (
	"fmt"

	"github.com/surefoot-ml/surefoot/privacy/internal/contour"
)

func ExampleComposition_Epsilon() {
	run := contour.Composition{Parts: []contour.Part{{Rate: 0.01, Sigma: 1, Count: 1000}}}
	lower, upper := 0.0, 0.0
	for _, d := range []contour.Direction{contour.Remove, contour.Add} {
		b, err := run.Epsilon(d, 1e-5)
		if err != nil {
			fmt.Println(err)
			return
		}
		lower, upper = max(lower, b.Lower), max(upper, b.Upper)
	}
	fmt.Printf("%.10f %.10f\n", lower, upper)
	// Output: 1.8282366665 1.8282366665
}
