// Package ledger keeps a privacy budget that several adaptive jobs share, and that none of them can overspend, whatever crashes.
//
// For most uses: Open a ledger, create an [Account] per data set once, open a [Job] when its process starts, and let a [Meter] charge
// every step before anything of it is released.
//
//	l, err := ledger.Open("budget", ledger.Config{Create: true}) // once; later Open("budget", ledger.Config{})
//	err = l.CreateAccount(ctx, ledger.Account{Name: "patients", Measure: ledger.Renyi, Orders: []float64{8},
//		Relation: privacy.AddRemove, Epsilon: 3, Delta: 1e-6})
//	job, err := l.OpenJob(ctx, "train")
//	meter, err := job.Meter(ledger.MeterConfig{Accounts: []string{"patients"}})
//	run.Attempt = append(run.Attempt, meter.For(step)) // or noise.TrainerConfig.Budget = meter
//	...
//	err = errors.Join(meter.Close(ctx), l.Close())
//
// A job that wants to say more uses [Job.Reserve], then [Reservation.Commit], or [Reservation.Release] while nothing has left the process.
//
// # What holds after a crash
//
// A charge is on stable storage before noise is drawn for it, in all accounts of the request or in none. What was reserved and not resolved
// when the process died, when its time ran out or when its job was opened anew, is spent. Nothing gives back what was committed. So the ledger
// is at or above what was really released, never below; and it wins over any checkpoint: steps done again are charged again.
//
// The ledger is a directory for one process at a time. It holds names and amounts, no data. A copy of an older state of it is an older
// state: restoring one from a backup forgets what was spent since, which nothing in the directory can show.
//
// # Which measure
//
// [Renyi] at one order for training on samples; [Concentrated] or [Gaussian] for plain Gaussians; [Pure] for counts and histograms with
// Laplace noise; [Basic] for jobs that are reserved whole by the best accountant (Request.Delta), and for mixing kinds. Each is a filter
// that is proven sound when every event is chosen after looking at everything released before, by any job.
package ledger
