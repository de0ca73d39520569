package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/surefoot-ml/surefoot"
	"github.com/surefoot-ml/surefoot/audit"
	"github.com/surefoot-ml/surefoot/breaker"
	"github.com/surefoot-ml/surefoot/carbon"
	"github.com/surefoot-ml/surefoot/examples/dpsgd/internal/dataset"
	"github.com/surefoot-ml/surefoot/examples/dpsgd/internal/softmax"
	"github.com/surefoot-ml/surefoot/privacy"
	"github.com/surefoot-ml/surefoot/privacy/leakage"
	"github.com/surefoot-ml/surefoot/ratelimit"
	"github.com/surefoot-ml/surefoot/retry"
	"github.com/surefoot-ml/surefoot/validate"
)

var errLoss = errors.New("loss is not finite")

// maxGiveUps is how often in a row one step may use up its attempts before the run ends.
const maxGiveUps = 3

// run is a training run in progress.
type run struct {
	*options
	data     *dataset.Dataset
	progress *progress

	id      string
	log     *audit.Log
	trail   *journal
	budget  *budget
	learner *learner
	planted *canaries // nil if there are none
	breaker *breaker.Breaker
	gate    *carbon.Gate
	memory  func() string
	power   *power
	line    carbon.Timeline
	runner  *surefoot.Runner[int, float64]

	coins   string     // digest of the canaries of the run that is resumed
	before  int        // charges of earlier processes
	earlier checkpoint // where this process began
	gaveUp  int
	opened  int
	notes   []string
	lost    error // of callbacks
	curve   curve
}

// curve is what the plot shows.
type curve struct {
	step, loss, epsilon []float64
	paused              []int // steps before which the carbon gate paused
}

func (o *options) path(name string) string { return filepath.Join(o.out, name) }

const trailName, budgetName, checkpointName, plotName = "trail", "budget", "checkpoint.json", "run.svg"

// train runs the whole job. The report is not nil once training has begun, also with an error.
func train(ctx context.Context, o *options, data *dataset.Dataset, p *progress) (*report, error) {
	began := time.Now()
	r := &run{options: o, data: data, progress: p, id: rand.Text()[:12]}
	if err := r.open(ctx); err != nil {
		return nil, errors.Join(err, r.close())
	}
	ended, err := r.loop(ctx)
	rep, repErr := r.report(ended)
	err = errors.Join(err, repErr, r.lost, r.trail.Err(), r.draw(o.path(plotName)))
	if r.planted != nil {
		found, auditErr := r.planted.audit(r.learner.model, rep.Privacy.Epsilon, r.set.Delta)
		rep.Canaries, err = &found, errors.Join(err, auditErr)
	}
	head := r.log.Head()
	err = errors.Join(err, r.close())
	if o.baseline && ctx.Err() == nil {
		p.note("the same without privacy, to compare ...")
		plain := softmax.New(len(data.Classes), data.Dim)
		if fitErr := (softmax.Descent{}).Fit(ctx, plain, data.Train); fitErr == nil {
			_, rep.Accuracy.NonPrivate = plain.Evaluate(data.Heldout)
		}
	}
	var auditErr error
	rep.Audit, auditErr = auditTrail(o.path(trailName), head, privacy.Budget{Epsilon: o.set.Epsilon, Delta: o.set.Delta})
	rep.Audit.hold(rep.Steps.Released <= rep.Steps.Charged, "this process charged every release of noise")
	rep.Audit.hold(rep.Audit.Charges == rep.Steps.Before+rep.Steps.Charged, "the trail and the process agree on the charges")
	// The trail's accountant looks for its own order, which lies beside the ledger's.
	rep.Audit.hold(rep.Audit.Epsilon <= rep.Privacy.Epsilon*(1+1e-6), "the ledger has spent all that the trail shows")
	rep.Audit.hold(rep.Audit.Applied == rep.Steps.Applied, "the trail and the weights agree on the last step")
	if rep.Canaries != nil {
		rep.Audit.hold(rep.Canaries.Verdict != leakage.Refuted, "the canaries do not show more than the accountant says")
	}
	rep.Seconds = time.Since(began).Seconds()
	return rep, errors.Join(err, auditErr, rep.Audit.err())
}

// open puts the run together: the state, the budget and the trail first, then the policies around the step.
func (r *run) open(ctx context.Context) (err error) {
	trail := r.path(trailName)
	_, err = os.Stat(filepath.Join(trail, "checkpoint"))
	if begun := err == nil; begun != r.resume {
		if r.resume {
			return fmt.Errorf("nothing to resume in %s", r.out)
		}
		return fmt.Errorf("a run lives in %s already: -resume goes on with it, another -out begins a new one", r.out)
	}
	if r.resume {
		if err := r.resumeSettings(trail); err != nil {
			return err
		}
	}
	if err := r.check(); err != nil {
		return err
	}
	if r.planted, err = r.openCanaries(r.data.Dim, r.coins); err != nil {
		return err
	}
	if r.planted != nil {
		r.data = r.planted.plant(r.data)
	}
	if r.log, err = audit.Open(trail, audit.Options{}); err != nil {
		return err
	}
	if err := r.openLearner(); err != nil {
		return err
	}
	var saved *checkpoint
	if r.resume {
		if saved, err = r.load(); err != nil {
			return err
		}
	}
	r.budget.event = r.learner.event()
	if err := r.budget.open(ctx, r.path(budgetName), r.resume, r.key == 0, privacy.Budget{Epsilon: r.set.Epsilon, Delta: r.set.Delta}); err != nil {
		return err
	}
	if r.before, err = chargesIn(trail); err != nil {
		return err
	}
	if saved != nil {
		if err := r.restore(saved); err != nil {
			return err
		}
	}
	if err := r.openPolicies(ctx); err != nil {
		return err
	}
	start := startData{
		Task: r.task(), Settings: r.set, Private: r.key == 0, Key: r.key,
		Examples: len(r.data.Train), Step: r.learner.applied,
	}
	if r.planted != nil {
		start.Canaries = r.planted.plan.Digest()
	}
	return r.event(audit.KindConfig, start)
}

func (r *run) close() error {
	err := r.budget.close()
	if r.log == nil {
		return err
	}
	return errors.Join(err, r.log.Close())
}

func (r *run) task() string { return r.taskWith(0) }

// taskWith is the task when a number of canaries is planted in the data.
func (r *run) taskWith(canaries int) string {
	return fmt.Sprintf("%s, %d classes, %d features", r.data.Name, len(r.data.Classes), r.data.Dim+canaries)
}

// event appends to the trail, also when the run is being stopped.
func (r *run) event(kind audit.Kind, data any) error {
	_, err := r.log.Append(context.Background(), audit.Event{Kind: kind, Run: r.id, Data: data})
	return err
}

// keep keeps an error that a callback cannot return for the end of the run.
func (r *run) keep(err error) { r.lost = errors.Join(r.lost, err) }

// check refuses settings that cannot be meant, all at once.
func (r *run) check() error {
	n := len(r.data.Train)
	var c validate.Check
	validate.Privacy{
		Epsilon: r.set.Epsilon, Delta: r.set.Delta, Clip: r.set.Clip, NoiseMultiplier: r.set.Noise,
		SamplingRate: r.set.sampling(n), Examples: n,
	}.Check(&c)
	c.Range("steps", float64(r.set.Steps), 1, 1e6)
	c.Range("batch", float64(r.set.Batch), 1, float64(n))
	c.Range("rate", r.set.Rate, 1e-6, 1e6)
	c.Range("momentum", r.set.Momentum, 0, 0.999)
	c.Range("speed", r.speed, 1e-3, 1e6)
	c.RangeDuration("deadline", r.deadline, time.Millisecond, time.Hour)
	c.Range("watts", r.watts, 0, 1000)
	c.Range("pue", r.pue, 0, 10)
	if r.set.Canaries != 0 {
		c.Range("canaries", float64(r.set.Canaries), minCanaries, 1e5)
	}
	c.Range("checkpoint-every", float64(r.every), 1, 1e6)
	if err := c.Err(); err != nil {
		return err
	}
	for _, w := range c.Warnings() {
		r.progress.note("warning: %v", w)
	}
	return nil
}

// resumeSettings takes the settings from the trail: those of a budget in use cannot change.
func (r *run) resumeSettings(trail string) error {
	for _, name := range []string{"steps", "batch", "noise", "clip", "rate", "momentum", "epsilon", "delta", "not-private-key", "canaries"} {
		if r.given[name] {
			return fmt.Errorf("-%s is fixed by the run that -resume goes on with", name)
		}
	}
	for e, err := range audit.Entries(trail) {
		if err != nil {
			return err
		}
		if e.Kind == audit.KindConfig {
			var s startData
			if err := json.Unmarshal(e.Data, &s); err != nil {
				return fmt.Errorf("entry %d: %w", e.Seq, err)
			}
			if s.Task != r.taskWith(s.Settings.Canaries) {
				return fmt.Errorf("the run in %s is about %q, not %q", r.out, s.Task, r.task())
			}
			r.set, r.key, r.coins = s.Settings, s.Key, s.Canaries
			return nil
		}
	}
	return fmt.Errorf("the trail in %s has no settings", r.out)
}

func (r *run) openLearner() (err error) {
	r.budget = &budget{log: r.log, run: r.id}
	if r.learner, err = newLearner(r.data, r.set, r.budget, r.key); err != nil {
		return err
	}
	if r.faults {
		r.learner.faults = newFaultPlan(r.faultSeed, r.set.Steps)
	}
	return nil
}

// load reads the checkpoint of this run, nil if there is none: then it begins anew, with what is left of the budget.
func (r *run) load() (*checkpoint, error) {
	c, err := loadCheckpoint(r.path(checkpointName))
	if errors.Is(err, errNoCheckpoint) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if c.Task != r.task() || c.Keyed != (r.key != 0) {
		return nil, fmt.Errorf("the checkpoint in %s belongs to another run", r.out)
	}
	if digest := r.data.Digest(); !bytes.Equal(c.Data, digest[:]) {
		return nil, fmt.Errorf("the checkpoint in %s was trained on other data: has Go been updated, or the table changed?", r.out)
	}
	return c, nil
}

// restore goes on from a checkpoint.
func (r *run) restore(c *checkpoint) error {
	if err := readFloats(r.learner.model.Weights, c.Weights); err != nil {
		return fmt.Errorf("checkpoint: weights: %w", err)
	}
	if err := readFloats(r.learner.velocity, c.Velocity); err != nil {
		return fmt.Errorf("checkpoint: velocity: %w", err)
	}
	if c.Step > r.before {
		return fmt.Errorf("the checkpoint has %d steps, the trail in %s only %d charges: the trail was cut", c.Step, r.out, r.before)
	}
	r.learner.applied = c.Step
	r.earlier = *c
	spent, err := r.budget.spent()
	r.progress.note("resumed at step %d; %d steps were charged so far, ε %.4f", c.Step, r.before, spent.Running)
	return err
}

// save writes a checkpoint and records it.
func (r *run) save() error {
	totals, digest := r.power.meter.Totals(), r.data.Digest()
	c := checkpoint{
		Task: r.task(), Data: digest[:], Step: r.learner.applied, Keyed: r.key != 0,
		Joules: r.earlier.Joules + r.power.joules, Grams: r.earlier.Grams + float64(totals.Grams), Unknown: r.earlier.Unknown + totals.UnknownKWh,
		Weights: floatBytes(r.learner.model.Weights), Velocity: floatBytes(r.learner.velocity),
	}
	if err := c.save(r.path(checkpointName)); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return r.event(audit.KindCheckpoint, checkpointData{Step: c.Step})
}

// openPolicies composes the Runner: the point of this example.
func (r *run) openPolicies(ctx context.Context) (err error) {
	recorder, err := audit.NewRecorder(r.log, r.id)
	if err != nil {
		return err
	}
	r.trail = &journal{Recorder: recorder}

	provider, gate, err := r.openCarbon(ctx)
	if err != nil {
		return err
	}
	if r.gate, err = carbon.NewGate(gate); err != nil {
		return err
	}
	memory, cpu, err := r.openResources(ctx)
	if err != nil {
		return err
	}
	estimate := carbon.CPUEnergy{WattsPerCore: r.watts, PUE: r.pue}
	if r.power, err = newPower(provider, r.line, estimate, cpu); err != nil {
		return err
	}
	if r.breaker, err = breaker.New(breaker.Config{
		Name: "step", Failures: 3, Open: 300 * time.Millisecond, OnChange: r.breakerChanged,
	}); err != nil {
		return err
	}
	oneStep, err := ratelimit.NewBulkhead(1, 0)
	if err != nil {
		return err
	}
	r.runner = &surefoot.Runner[int, float64]{
		Gates:   []surefoot.Admitter{r.gate, memory, r.trail},
		Retry:   retry.Policy{Attempts: 8, Delays: retry.Exponential{Base: 5 * time.Millisecond, Max: 100 * time.Millisecond}},
		Attempt: []surefoot.Admitter{oneStep, r.breaker, r.budget},
		Watch:   &retry.Deadline{Limit: r.deadline},
		Check:   finiteLoss,
		Restore: r.learner.restore,
		Record:  r.trail,
		ID:      func(step int) uint64 { return uint64(step) },
	}
	return nil
}

func finiteLoss(loss float64) error {
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return fmt.Errorf("%w: %v", errLoss, loss)
	}
	return nil
}

// loop is the training loop: the caller's own, with the Runner around its step. It says how training ended.
func (r *run) loop(ctx context.Context) (ended string, err error) {
	l := r.learner
	tries := 0
	for l.applied < r.set.Steps {
		l.snapshot()
		loss, err := r.runner.Do(ctx, l.applied+1, surefoot.Recovered(l.step))
		if err != nil {
			_ = l.restore(ctx, err)
		}
		if tickErr := r.power.tick(context.WithoutCancel(ctx)); tickErr != nil {
			return "failed", errors.Join(err, tickErr)
		}
		switch {
		case err == nil:
			tries = 0
			if err := r.show(loss); err != nil {
				return "failed", err
			}
			if l.applied%r.every == 0 {
				if err := r.save(); err != nil {
					return "failed", err
				}
			}
			continue
		case errors.Is(err, privacy.ErrExhausted):
			ended = "the budget refused another step"
		case ctx.Err() != nil:
			ended = "stopped by a signal; -resume -out " + r.out + " goes on"
		default:
			if permanent(err) {
				return "failed", errors.Join(err, r.save())
			}
			if tries++; tries < maxGiveUps {
				r.gaveUp++
				r.progress.note("step %d: %s; beginning it again", l.applied+1, short(err))
				continue
			}
			return "failed", errors.Join(err, r.save())
		}
		return ended, r.save()
	}
	return "all steps done", r.save()
}

// permanent reports whether an error says that trying again is useless.
func permanent(err error) bool {
	var p interface{ Permanent() bool }
	return errors.As(err, &p) && p.Permanent()
}

// show adds a step to the curve and to the progress line.
func (r *run) show(loss float64) error {
	l := r.learner
	account, err := r.budget.spent()
	spent := account.Running
	r.curve.step = append(r.curve.step, float64(l.applied))
	r.curve.loss = append(r.curve.loss, loss)
	r.curve.epsilon = append(r.curve.epsilon, spent)
	totals := r.power.meter.Totals()
	r.progress.show(l.applied, r.set.Steps, "loss %.3f  accuracy %s  ε %.3f of %g  %.4f gCO2e  %d retries  breaker %v",
		loss, percent(l.accuracy), spent, r.set.Epsilon, r.earlier.Grams+float64(totals.Grams), r.trail.retries, r.breaker.State())
	return err
}
