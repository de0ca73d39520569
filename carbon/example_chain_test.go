package carbon_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/surefoot-ml/surefoot/carbon"
)

// A chain goes on when its source does not, and says how it comes by its values then.
func ExampleChain() {
	ctx := context.Background()
	noon := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	up := true
	source := carbon.ProviderFunc(func(_ context.Context, t time.Time) (carbon.Reading, error) {
		if !up {
			return carbon.Reading{}, errors.New("the key has expired")
		}
		from := t.Truncate(time.Hour)
		return carbon.Reading{
			Intensity: 300, Signal: carbon.Average, Basis: carbon.Measured, Zone: "US-CAL-CISO", Source: "my grid operator",
			From: from, To: from.Add(time.Hour),
		}, nil
	})
	chain, err := carbon.NewChain(ctx, carbon.ChainConfig{Zone: "US-CAL-CISO", Source: source})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer chain.Close()

	r, err := chain.At(ctx, noon)
	fmt.Println(r.Intensity, r.Strategy, r.Source, err)
	up = false
	r, err = chain.At(ctx, noon.Add(40*time.Minute)) // asks again behind the answer
	fmt.Println(r.Intensity, r.Zone, err)

	nobody, err := carbon.NewChain(ctx, carbon.ChainConfig{Zone: "US-CAL-CISO"}) // no source, no history
	if err != nil {
		fmt.Println(err)
		return
	}
	defer nobody.Close()
	r, err = nobody.At(ctx, noon)
	fmt.Printf("%.0f g/kWh, %s, expected to be off by %.0f %%, %v\n", float64(r.Intensity), r.Strategy, 100*r.ExpectedError, err)
	// Output:
	// 300 gCO2e/kWh fresh my grid operator <nil>
	// 300 gCO2e/kWh US-CAL-CISO <nil>
	// 240 g/kWh, typical, expected to be off by 16 %, <nil>
}
