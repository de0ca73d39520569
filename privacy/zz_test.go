package privacy

import (
	"fmt"
	"testing"
	"time"
)

func TestZZ(t *testing.T) {
	e := TruncatedPoisson{Records: 60000, MaxBatch: 300, Rate: .004, Gaussian: Gaussian{StdDev: 1, Clip: 1, Relation: AddRemove}}
	var p PLD
	fmt.Println(p.Add(e, 1000))
	t0 := time.Now()
	fmt.Println(p.Epsilon(1e-5))
	fmt.Println(time.Since(t0))
}
