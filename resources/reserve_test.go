package resources

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func reservationsOf(t testing.TB, cfg ReservationsConfig) *Reservations {
	t.Helper()
	r, err := NewReservations(cfg)
	require.NoError(t, err)
	return r
}

func reserve(t testing.TB, r *Reservations, c Claim) *Reservation {
	t.Helper()
	v, err := r.Reserve(t.Context(), c)
	require.NoError(t, err)
	return v
}

// TestReservationsCountOutstanding: two claims that each fit into what is free now do not both fit.
func TestReservationsCountOutstanding(t *testing.T) {
	t.Parallel()
	r := reservationsOf(t, ReservationsConfig{Capacity: 100})
	a := reserve(t, r, Claim{Owner: "a", Amount: 60})
	_, err := r.Reserve(t.Context(), Claim{Owner: "b", Amount: 60})
	var refusal *NoRoomError
	require.ErrorAs(t, err, &refusal)
	require.ErrorIs(t, err, ErrNoRoom)
	require.Contains(t, err.Error(), `resources: no room: "b" wants 60; 60 of 100 are reserved, after `)
	require.True(t, refusal.Neutral())
	require.False(t, refusal.Permanent())
	require.InDelta(t, time.Hour, refusal.RetryAfter(), float64(time.Minute))
	a.Release()
	require.ErrorIs(t, a.Err(), ErrReleased)
	a.Release()
	b := reserve(t, r, Claim{Owner: "b", Amount: 100})
	require.Greater(t, b.ID(), a.ID())
	_, err = r.Reserve(t.Context(), Claim{Owner: "c", Amount: 101})
	require.ErrorAs(t, err, &refusal)
	require.True(t, refusal.Permanent())
}

func TestReservationsExpire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var events []ReservationEvent
		r := reservationsOf(t, ReservationsConfig{Capacity: 100, MaxWait: -1, Expire: 10 * time.Minute, OnEvent: func(e ReservationEvent) { events = append(events, e) }})
		a := reserve(t, r, Claim{Owner: "a", Amount: 60})
		never := reserve(t, r, Claim{Owner: "never", Amount: 10, Expire: -1})
		<-time.After(6 * time.Minute)
		require.NoError(t, a.Renew(0))
		b := reserve(t, r, Claim{Owner: "b", Amount: 60, Expire: time.Minute})
		require.Equal(t, 16*time.Minute, time.Since(start))
		require.ErrorIs(t, a.Err(), ErrExpired)
		require.ErrorIs(t, a.Renew(time.Hour), ErrExpired)
		a.Release()
		a.Use(1)
		require.NoError(t, b.Renew(-1))
		<-time.After(1000 * time.Hour)
		require.NoError(t, errors.Join(never.Err(), b.Err()))
		kinds := []ReservationEventKind{}
		for _, e := range events {
			kinds = append(kinds, e.Kind)
		}
		require.Equal(t, []ReservationEventKind{ReservationGranted, ReservationGranted, ReservationExpired, ReservationGranted}, kinds)
		text, err := json.Marshal(events[2])
		require.NoError(t, err)
		require.JSONEq(t, `{"at":"2000-01-01T00:16:00Z","kind":"expired","id":1,"owner":"a","amount":60,"priority":0,"until":"2000-01-01T00:16:00Z"}`, string(text))
	})
}

// TestReservationsEvict: the notice comes first, room at the end of the grace, or as soon as the holder releases.
func TestReservationsEvict(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := reservationsOf(t, ReservationsConfig{Capacity: 100, MaxWait: time.Minute})
		var told []string
		notice := func(name string) func(Eviction) {
			return func(e Eviction) {
				told = append(told, name+" for "+e.By)
				assert.Equal(t, 30*time.Second, time.Until(e.Deadline))
			}
		}
		low := reserve(t, r, Claim{Owner: "low", Amount: 40, Priority: 1, OnEvict: notice("low")})
		mid := reserve(t, r, Claim{Owner: "mid", Amount: 40, Priority: 2, OnEvict: notice("mid")})
		reserve(t, r, Claim{Owner: "high", Amount: 20, Priority: 3, OnEvict: notice("high")})
		_, err := r.Reserve(t.Context(), Claim{Owner: "equal", Amount: 10, Priority: 1, Evict: true})
		require.ErrorIs(t, err, ErrNoRoom)
		require.Empty(t, told, "equals are not evicted")
		_, err = r.Reserve(t.Context(), Claim{Owner: "vain", Amount: 90, Priority: 3, Evict: true})
		require.ErrorIs(t, err, ErrNoRoom)
		require.Empty(t, told, "nobody is evicted in vain")

		start := time.Now()
		reserve(t, r, Claim{Owner: "chief", Amount: 30, Priority: 9, Evict: true})
		require.Equal(t, 30*time.Second, time.Since(start))
		require.Equal(t, []string{"low for chief"}, told)
		require.ErrorIs(t, low.Err(), ErrEvicted)
		require.ErrorIs(t, low.Renew(time.Hour), ErrEvicted)

		time.AfterFunc(5*time.Second, mid.Release)
		start = time.Now()
		reserve(t, r, Claim{Owner: "second", Amount: 40, Priority: 9, Evict: true})
		require.Equal(t, 5*time.Second, time.Since(start))
		require.Equal(t, []string{"low for chief", "mid for second"}, told)
		require.ErrorIs(t, mid.Err(), ErrReleased)
	})
}

func TestReservationsEvictAtOnce(t *testing.T) {
	t.Parallel()
	r := reservationsOf(t, ReservationsConfig{Capacity: 100, Grace: -1})
	var told Eviction
	low := reserve(t, r, Claim{Owner: "low", Amount: 100, OnEvict: func(e Eviction) { told = e }})
	reserve(t, r, Claim{Owner: "high", Amount: 1, Priority: 1, Evict: true})
	require.ErrorIs(t, low.Err(), ErrEvicted)
	require.Equal(t, low.ID(), told.ID)

	patient := reservationsOf(t, ReservationsConfig{Capacity: 100})
	low = reserve(t, patient, Claim{Owner: "low", Amount: 100, OnEvict: func(Eviction) { t.Error("who does not wait evicts nobody") }})
	_, err := patient.Reserve(t.Context(), Claim{Owner: "high", Amount: 1, Priority: 1, Evict: true})
	require.ErrorIs(t, err, ErrNoRoom)
	require.NoError(t, low.Err())
}

func TestReservationsEvictBelow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := reservationsOf(t, ReservationsConfig{Capacity: 100})
		var all []*Reservation
		for p := range 5 {
			all = append(all, reserve(t, r, Claim{Owner: "x", Amount: 10, Priority: p}))
		}
		all[0].Use(25)
		require.EqualValues(t, 45, r.EvictBelow(3, "emergency"))
		require.Zero(t, r.EvictBelow(3, "emergency"), "they know")
		require.NoError(t, all[0].Err())
		require.ErrorIs(t, all[0].Renew(time.Hour), ErrEvicted)
		report := r.Report()
		require.True(t, report.Held[2].Evicting)
		require.Equal(t, "emergency", report.Held[2].By)
		<-time.After(30 * time.Second)
		for p, v := range all {
			require.Equal(t, p < 3, errors.Is(v.Err(), ErrEvicted))
		}
		require.EqualValues(t, 20, r.Report().Outstanding)
	})
}

// TestReservationsLine: the large one at the head of the line is not passed by small ones, and priority only goes so far.
func TestReservationsLine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := reservationsOf(t, ReservationsConfig{Capacity: 100, MaxWait: -1})
		holder := reserve(t, r, Claim{Owner: "holder", Amount: 95, Expire: -1})
		var order []string
		var mu sync.Mutex
		var wg sync.WaitGroup
		add := func(name string, amount uint64, priority int) {
			wg.Go(func() {
				v, err := r.Reserve(t.Context(), Claim{Owner: name, Amount: amount, Priority: priority})
				assert.NoError(t, err)
				mu.Lock()
				order = append(order, name)
				mu.Unlock()
				<-time.After(time.Second)
				v.Release()
			})
			synctest.Wait()
		}
		add("large", 100, 0)
		add("small", 10, 0)
		<-time.After(150 * time.Second)
		add("important, but late", 10, 2)
		add("important", 10, 3)
		require.Empty(t, order)
		require.Equal(t, 4, r.Report().Waiting)
		require.EqualValues(t, 130, r.Report().Wanted)
		add("first", 5, 9)
		require.Equal(t, []string{"first"}, order)
		holder.Release()
		wg.Wait()
		require.Equal(t, []string{"first", "important", "large"}, order[:3])
		require.ElementsMatch(t, []string{"small", "important, but late"}, order[3:])
	})
}

func TestReservationsWaitEnds(t *testing.T) {
	t.Parallel()
	cause := errors.New("shutdown")
	synctest.Test(t, func(t *testing.T) {
		r := reservationsOf(t, ReservationsConfig{Capacity: 100, MaxWait: time.Minute})
		holder := reserve(t, r, Claim{Owner: "holder", Amount: 100, Expire: -1})
		start := time.Now()
		_, err := r.Reserve(t.Context(), Claim{Owner: "late", Amount: 1})
		var refusal *NoRoomError
		require.ErrorAs(t, err, &refusal)
		require.Equal(t, time.Minute, refusal.Waited)
		require.Zero(t, refusal.RetryAfter())
		require.Equal(t, time.Minute, time.Since(start))

		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(cause) })
		_, err = r.Reserve(ctx, Claim{Owner: "gone", Amount: 1})
		require.ErrorIs(t, err, cause)
		require.ErrorIs(t, err, context.Canceled)
		require.NotErrorIs(t, err, ErrNoRoom)
		require.Zero(t, r.Report().Waiting)

		// What comes in the same moment as the end of the context is handed back.
		ctx, cancel = context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(cause); holder.Release() })
		_, err = r.Reserve(ctx, Claim{Owner: "gone", Amount: 1})
		require.ErrorIs(t, err, cause)
		require.Zero(t, r.Report().Outstanding)
	})
}

// TestReservationsShorterDeadline: who sleeps until one deadline is woken for an earlier one that comes up meanwhile.
func TestReservationsShorterDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := reservationsOf(t, ReservationsConfig{Capacity: 100, MaxWait: -1})
		a := reserve(t, r, Claim{Owner: "a", Amount: 100})
		start := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := r.Reserve(t.Context(), Claim{Owner: "b", Amount: 1})
			assert.NoError(t, err)
			assert.Equal(t, 10*time.Second, time.Since(start))
		})
		synctest.Wait()
		require.NoError(t, a.Renew(10*time.Second))
		wg.Wait()
	})
}

func TestReservationsCapacity(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := reservationsOf(t, ReservationsConfig{Capacity: 100, MaxWait: -1})
		a := reserve(t, r, Claim{Owner: "a", Amount: 50})
		var wg sync.WaitGroup
		var large, small error
		wg.Go(func() { _, large = r.Reserve(t.Context(), Claim{Owner: "large", Amount: 80}) })
		synctest.Wait()
		wg.Go(func() { _, small = r.Reserve(t.Context(), Claim{Owner: "small", Amount: 20}) })
		synctest.Wait()
		r.SetCapacity(40)
		synctest.Wait()
		require.ErrorIs(t, large, ErrNoRoom, "it can never fit")
		require.NoError(t, a.Err(), "nobody is evicted for it")
		r.SetCapacity(70)
		wg.Wait()
		require.NoError(t, small)
	})
}

func TestReservationsUse(t *testing.T) {
	t.Parallel()
	var exceeded []uint64
	r := reservationsOf(t, ReservationsConfig{Capacity: 100, OnEvent: func(e ReservationEvent) {
		if e.Kind == ReservationExceeded {
			exceeded = append(exceeded, e.Used)
		}
	}})
	a := reserve(t, r, Claim{Owner: "a", Amount: 50})
	for _, used := range []uint64{10, 50, 70, 80, 50, 51, math.MaxUint64} {
		a.Use(used)
	}
	require.Equal(t, []uint64{70, 51}, exceeded)
	require.EqualValues(t, uint64(math.MaxUint64), r.Report().Outstanding)
	a.Use(60)
	_, err := r.Reserve(t.Context(), Claim{Owner: "b", Amount: 45})
	require.ErrorIs(t, err, ErrNoRoom, "what is in use is promised to nobody")
	reserve(t, r, Claim{Owner: "b", Amount: 40})
}

// TestReservationsCallbacks: one that panics is told, one that ends its goroutine leaves nothing reserved behind, and
// each may use the reservations.
func TestReservationsCallbacks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r *Reservations
		var failed []error
		r = reservationsOf(t, ReservationsConfig{Capacity: 100, MaxWait: -1, OnEvent: func(e ReservationEvent) {
			_ = r.Report()
			if e.Err != nil {
				failed = append(failed, e.Err)
			}
			if e.Kind == ReservationReleased {
				panic("a broken trail")
			}
			if e.Owner == "doomed" && e.Kind == ReservationGranted {
				runtime.Goexit()
			}
		}})
		cause := errors.New("bug")
		a := reserve(t, r, Claim{Owner: "a", Amount: 100, OnEvict: func(Eviction) { panic(cause) }})
		reserve(t, r, Claim{Owner: "b", Amount: 100, Priority: 1, Evict: true}).Release()
		require.ErrorIs(t, a.Err(), ErrEvicted)
		require.Len(t, failed, 1)
		require.ErrorIs(t, failed[0], cause)
		var contained *PanicError
		require.ErrorAs(t, failed[0], &contained)
		require.NotEmpty(t, contained.Stack)
		require.Equal(t, "resources: reservation: OnEvict panicked: bug", contained.Error())

		var wg sync.WaitGroup
		wg.Go(func() {
			_, _ = r.Reserve(t.Context(), Claim{Owner: "doomed", Amount: 100, Expire: -1})
			t.Error("unreachable")
		})
		wg.Wait()
		reserve(t, r, Claim{Owner: "c", Amount: 100})

		self := reservationsOf(t, ReservationsConfig{Capacity: 100, MaxWait: -1})
		var v *Reservation
		v = reserve(t, self, Claim{Owner: "kind", Amount: 100, OnEvict: func(Eviction) { v.Release() }})
		start := time.Now()
		reserve(t, self, Claim{Owner: "d", Amount: 100, Priority: 1, Evict: true})
		require.Zero(t, time.Since(start))
	})
}

// TestReservationsUnderLoad: many jobs, all kinds of ends; what is granted never exceeds the capacity, everybody's
// wait is bounded, and nothing is left in the end.
func TestReservationsUnderLoad(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			var granted, ends uint64
			r := reservationsOf(t, ReservationsConfig{Capacity: 100, MaxWait: -1, Expire: time.Minute, OnEvent: func(e ReservationEvent) {
				switch e.Kind {
				case ReservationGranted:
					granted += e.Amount
				case ReservationReleased, ReservationExpired, ReservationEvicted:
					ends += e.Amount
				}
				assert.LessOrEqual(t, granted-ends, uint64(100))
			}})
			var wg sync.WaitGroup
			for worker := range 20 {
				rng := rand.New(rand.NewPCG(seed, uint64(worker)))
				wg.Go(func() {
					for range 20 {
						ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+rng.IntN(100000))*time.Second)
						v, err := r.Reserve(ctx, Claim{Owner: "w", Amount: 1 + rng.Uint64N(60), Priority: rng.IntN(5), Evict: rng.IntN(2) == 0})
						if err == nil {
							<-time.After(time.Duration(rng.IntN(90)) * time.Second)
							if rng.IntN(4) > 0 {
								v.Release()
							}
						}
						cancel()
					}
				})
			}
			wg.Wait()
			<-time.After(2 * time.Minute)
			report := r.Report()
			require.Zero(t, report.Outstanding)
			require.Zero(t, report.Waiting)
			require.Equal(t, granted, ends)
		})
	}
}

func TestReservationsNilAndConfig(t *testing.T) {
	t.Parallel()
	for _, r := range []*Reservations{nil, new(Reservations)} {
		_, err := r.Reserve(t.Context(), Claim{Owner: "a", Amount: 1})
		require.ErrorIs(t, err, ErrNoRoom)
		require.Zero(t, r.Report())
		require.Zero(t, r.EvictBelow(9, "x"))
		r.SetCapacity(100)
	}
	for _, v := range []*Reservation{nil, new(Reservation)} {
		v.Release()
		v.Use(1)
		require.ErrorIs(t, v.Err(), ErrReleased)
		require.ErrorIs(t, v.Renew(time.Hour), ErrReleased)
		require.Zero(t, v.ID())
	}
	for want, cfg := range map[string]ReservationsConfig{"Capacity is 0": {}, "Age is -1": {Capacity: 1, Age: -1}, "Age is 25h": {Capacity: 1, Age: 25 * time.Hour}} {
		_, err := NewReservations(cfg)
		require.ErrorContains(t, err, "resources: reservations: "+want)
	}
	r := reservationsOf(t, ReservationsConfig{Capacity: 10})
	for want, c := range map[string]Claim{
		"Owner is missing": {Amount: 1}, "Amount of \"a\" is 0": {Owner: "a"}, "is 1001": {Owner: "a", Amount: 1, Priority: 1001}, "is -1001": {Owner: "a", Amount: 1, Priority: -1001},
	} {
		_, err := r.Reserve(t.Context(), c)
		require.ErrorContains(t, err, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := r.Reserve(ctx, Claim{Owner: "a", Amount: 1})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, "event 99", ReservationEventKind(99).String())
}

func BenchmarkReserve(b *testing.B) {
	r := reservationsOf(b, ReservationsConfig{Capacity: 1 << 40})
	ctx := context.Background()
	for range 20 {
		_, _ = r.Reserve(ctx, Claim{Owner: "other", Amount: 1 << 30})
	}
	b.ReportAllocs()
	for b.Loop() {
		v, err := r.Reserve(ctx, Claim{Owner: "job", Amount: 1 << 20})
		if err != nil {
			b.Fatal(err)
		}
		v.Release()
	}
}
