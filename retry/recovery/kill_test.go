package recovery

import (
	"bufio"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMain runs the process that TestKill starts, and kills.
func TestMain(m *testing.M) {
	dir := os.Getenv("RECOVERY_TEST_DIR")
	if dir == "" {
		os.Exit(m.Run())
	}
	if err := trainForEver(dir); err != nil {
		fmt.Println(err)
		os.Exit(3)
	}
}

// trainForEver trains with faults of every kind and tells of every checkpoint.
func trainForEver(dir string) error {
	store, err := OpenStore(dir, StoreConfig{Keep: 4})
	if err != nil {
		return err
	}
	detector, err := NewDetector(DetectorConfig{})
	if err != nil {
		return err
	}
	state := &trainer{}
	plan := quick()
	plan[Diverged] = []Strategy{{Action: Rollback, Times: math.MaxInt, Back: 3, Skip: 5}}
	sup, err := New(context.Background(), store, state, Config{
		Every: 3, Undo: state.undo, Detector: detector, Plan: plan, MaxStarts: -1, MaxRestarts: -1, MaxRecoveries: math.MaxInt,
	})
	if err != nil {
		return err
	}
	fmt.Println("saved", sup.Step())
	rng := rand.New(rand.NewPCG(uint64(os.Getpid()), 1))
	for {
		b := sup.Next()
		out := Outcome{Loss: 1}
		switch rng.IntN(40) {
		case 0:
			out.Err = errFlaky
		case 1:
			out.Err = errData
		case 2:
			out.Err = errLost
		case 3:
			out.Loss = math.NaN()
		}
		state.step(b, out.Err)
		d, err := sup.Done(context.Background(), out)
		switch {
		case err != nil:
			return err
		case d.Action == Rollback:
			fmt.Println("back", d.Step)
		case d.Saved:
			fmt.Println("saved", d.Step)
		}
	}
}

// TestKill kills a process at any moment, again and again. What it said was saved is there, and the state is what a run
// without any of that would have made of the same batches.
func TestKill(t *testing.T) {
	t.Parallel()
	kills := 60
	if testing.Short() {
		kills = 6
	}
	dir := filepath.Join(t.TempDir(), "checkpoints")
	saved, backs, best := 0, 0, uint64(0)
	for k := range kills {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "RECOVERY_TEST_DIR="+dir)
		cmd.Stderr = os.Stderr
		stdout, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		out := bufio.NewScanner(stdout)
		acked := uint64(0)
		hear := func() {
			kind, number, _ := strings.Cut(out.Text(), " ")
			step, err := strconv.ParseUint(number, 10, 64)
			require.NoError(t, err, out.Text())
			switch kind {
			case "saved":
				acked = step
				saved++
			case "back":
				acked = min(acked, step)
				backs++
			}
		}
		for range 1 + k*7%40 {
			require.True(t, out.Scan())
			hear()
		}
		require.NoError(t, cmd.Process.Kill())
		for out.Scan() { // what it had told before it died
			hear()
		}
		require.Error(t, cmd.Wait())

		store, err := OpenStore(dir, StoreConfig{Keep: 4})
		require.NoError(t, err)
		state := &trainer{}
		b := bundle{state: state}
		info, err := store.Newest(math.MaxUint64, &b)
		require.NoError(t, err)
		require.Empty(t, info.Passed)
		if info.Step < acked { // a rollback that it had no time to tell of
			require.Contains(t, setAside(t, dir), nameOf(acked)+abandonedSuffix)
		}
		require.EqualValues(t, info.Step, len(state.Seen))
		require.Equal(t, without(b.meta.Position.Skips, len(state.Seen)), append([]uint64(nil), state.Seen...))
		ledger, _, err := store.loadLedger()
		require.NoError(t, err)
		best = max(best, ledger.Best)
	}
	require.Greater(t, best, uint64(kills))
	t.Logf("%d kills, %d checkpoints, %d rollbacks, best step %d", kills, saved, backs, best)
}

func setAside(t *testing.T, dir string) (names []string) {
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
