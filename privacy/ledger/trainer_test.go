package ledger_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/privacy"
	"github.com/surefoot-ml/surefoot/privacy/ledger"
	"github.com/surefoot-ml/surefoot/privacy/noise"
)

// A noise.Trainer that is paid for by a ledger takes exactly the steps that the ledger forecasts, and what it took is on the disk.
func TestTrainerIsPaidByTheLedger(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "budget")
	l, err := ledger.Open(dir, ledger.Config{Create: true})
	require.NoError(t, err)
	require.NoError(t, l.CreateAccount(t.Context(), ledger.Account{
		Name: "points", Measure: ledger.Renyi, Orders: []float64{8}, Relation: privacy.AddRemove, Epsilon: 4, Delta: 1e-5,
	}))
	job, err := l.OpenJob(t.Context(), "train")
	require.NoError(t, err)
	require.NoError(t, job.MarkNotPrivate(t.Context())) // the noise below comes from a key
	meter, err := job.Meter(ledger.MeterConfig{Accounts: []string{"points"}})
	require.NoError(t, err)

	sampler, err := noise.NewPoissonSampler(100, .1)
	require.NoError(t, err)
	sum, err := noise.NewAccumulator(3, 1)
	require.NoError(t, err)
	trainer, err := noise.NewTrainer(noise.TrainerConfig{
		Sampler: sampler, Sum: sum, Multiplier: noise.Constant(2), Budget: meter, Sources: []noise.Source{noise.NewNotPrivate(1)},
	})
	require.NoError(t, err)
	event := sampler.Event(privacy.Gaussian{StdDev: 2, Clip: 1, Relation: privacy.AddRemove})
	forecast, err := l.Remaining(event, "points")
	require.NoError(t, err)
	most := forecast.Executions
	require.Greater(t, most, int64(10))

	steps, dst := int64(0), make([]float64, 3)
	for {
		charged, err := trainer.Step(dst, func(batch []int, sum *noise.Accumulator) error {
			for range batch {
				if err := sum.Add([]float64{1, 2, 3}); err != nil {
					return err
				}
			}
			return nil
		})
		var exhausted *ledger.ExhaustedError
		if errors.As(err, &exhausted) {
			require.Equal(t, "points", exhausted.Account)
			break
		}
		require.NoError(t, err)
		require.Equal(t, event, charged)
		steps++
		require.LessOrEqual(t, steps, most)
	}
	// Leases round their costs up once each, so that single steps may cost a unit more than the forecast's one request.
	require.InDelta(t, most, steps, 1)
	require.NoError(t, meter.Close(t.Context()))
	require.NoError(t, l.Close())

	counted, err := ledger.Verify(dir)
	require.NoError(t, err)
	points, _ := counted.Account("points")
	require.Zero(t, points.Balances[0].Reserved)
	require.Positive(t, points.Balances[0].Spent)
	require.LessOrEqual(t, points.Running, 4.0)
	require.True(t, points.NotPrivate)
}
