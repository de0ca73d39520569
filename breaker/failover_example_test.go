package breaker_test

import (
	"context"
	"fmt"
	"time"

	"github.com/surefoot-ml/surefoot/breaker"
)

func ExampleFailover() {
	network := 1.0
	f, err := breaker.NewFailover(breaker.FailoverConfig{
		Targets: []breaker.Target{
			{Name: "store", Priority: 1, DependsOn: []string{"network"}},
			{
				Name: "local copy", Priority: 2,
				Activate: func(_ context.Context, from string) error {
					fmt.Println("mounting the copy in place of the", from)
					return nil
				},
			},
		},
		Components: []breaker.Component{
			{Name: "network", Check: func(context.Context) (float64, error) { return network, nil }},
		},
		OnSwitch: func(s breaker.Switch) { fmt.Printf("%s to %s: %v\n", s.From, s.To, s.Reason) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	fmt.Println(f.Active())
	network = .1
	if err := f.Check(ctx); err != nil { // every now and then
		fmt.Println(err)
	}
	s := f.System()
	fmt.Println(s.Active, s.State, s.Members[0].FailedBy)
	// Output:
	// store
	// mounting the copy in place of the store
	// store to local copy: target failed
	// local copy failing network
}

func ExampleDegrader() {
	type measured struct{ GPUMemory float64 }
	type mode struct {
		Evaluate   bool
		Microbatch int
	}
	memory := func(m measured) float64 { return m.GPUMemory }
	d, err := breaker.NewDegrader(breaker.DegraderConfig[measured, mode]{
		Normal: mode{Evaluate: true, Microbatch: 64},
		Levels: []breaker.Level[measured, mode]{
			{
				Name: "no evaluation", Settings: mode{Microbatch: 64},
				Enter: breaker.Above("GPU memory", memory, .85), Exit: breaker.Below("GPU memory", memory, .7),
			},
			{
				Name: "small batches", Settings: mode{Microbatch: 16},
				Enter: breaker.Above("GPU memory", memory, .95), Exit: breaker.Below("GPU memory", memory, .8),
			},
		},
		Dwell: time.Millisecond, // so short for the example; the default is a minute
		OnChange: func(c breaker.LevelChange[measured]) {
			fmt.Printf("%s to %s: %s\n", c.FromName, c.ToName, c.Condition)
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, used := range []float64{.5, .97, .9, .75, .6} {
		d.Update(measured{used}) // every now and then
		m := d.Settings()        // in every step
		fmt.Println(used, m.Evaluate, m.Microbatch)
		<-time.After(5 * time.Millisecond) // the step
	}
	// Output:
	// 0.5 true 64
	// normal to small batches: GPU memory above 0.95
	// 0.97 false 16
	// 0.9 false 16
	// small batches to no evaluation: GPU memory below 0.8
	// 0.75 false 64
	// no evaluation to normal: GPU memory below 0.7
	// 0.6 true 64
}
