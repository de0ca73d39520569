package leakage_test

import (
	"fmt"

	"github.com/surefoot-ml/surefoot/privacy/leakage"
)

// A run that remembers its canaries refutes the epsilon that was claimed for it.
func Example() {
	plan, err := leakage.NewSeededPlan(7, 1000) // NewPlan outside of tests
	if err != nil {
		panic(err)
	}
	remembered := map[int]bool{}
	for i := range plan.Len() {
		if plan.In(i) && i%4 != 0 { // "training"
			remembered[i] = true
		}
	}
	scores, err := plan.Scores(func(canary int) (float64, error) {
		if remembered[canary] {
			return 1 + float64(canary)/1000, nil
		}
		return float64(canary) / 1000, nil
	})
	if err != nil {
		panic(err)
	}
	report, err := plan.Audit(scores, leakage.Config{Delta: 1e-5, Claim: 2})
	if err != nil {
		panic(err)
	}
	fmt.Printf("epsilon is at least %.3f: %v\n", report.Epsilon, report.Verdict)
	fmt.Println(report.Rule)
	// Output:
	// epsilon is at least 2.261: refuted
	// the 167 highest scores guessed in, the 166 lowest out: 314 of 333 right
}

func ExampleAuditScores() {
	var members, others []float64
	for i := range 200 {
		// In some order that has nothing to do with the scores.
		members = append(members, float64(i*37%200)+60)
		others = append(others, float64(i*91%200))
	}
	scores, err := leakage.NewScores(members, others)
	if err != nil {
		panic(err)
	}
	report, err := leakage.AuditScores(scores, nil, leakage.Config{Delta: 1e-5, Claim: 3})
	if err != nil {
		panic(err)
	}
	fmt.Print(report)
	power, err := scores.Power(0.1, 0.05)
	if err != nil {
		panic(err)
	}
	fmt.Printf("AUC %.3f, TPR at 10 %% FPR between %.2f and %.2f\n", scores.AUC(), power.Lower, power.Upper)
	// Output:
	// epsilon is at least 2.0871 at delta 1e-05, with a confidence of 95 %
	// method: clopper_pearson, 200 members, 200 non-members; rules tried and corrected for: 6
	// rule: scores above 199 taken for members': 140 of 200 members missed, 0 of 200 non-members taken for members
	// verdict: the claimed epsilon of 3 is consistent
	// assumed: the scores are independent draws, those of members from one law and those of non-members from another, as from runs of their own with and without the record
	// assumed: the ranks were fixed before the scores were looked at
	// AUC 0.755, TPR at 10 % FPR between 0.28 and 0.54
}

// The rule of a published attack were fixed in advance, and only its counts are known.
func ExampleTwoRun() {
	attack := leakage.TwoRun{FalseNegatives: 300, Members: 1000, FalsePositives: 10, NonMembers: 1000}
	eps, err := attack.ClopperPearson(1e-5, 0.05)
	fmt.Printf("%.4f %v\n", eps, err)
	// Output: 3.6004 <nil>
}

func ExampleOneRun() {
	guessed := leakage.OneRun{Canaries: 1000, Guesses: 100, Correct: 100}
	eps, err := guessed.Epsilon(1e-5, 0.05)
	fmt.Printf("%.4f %v\n", eps, err)
	// Output: 3.4654 <nil>
}

// Whether an attack on attributes shows leakage is decided by what it reaches on people who were not in the data.
func ExampleAttack() {
	hits, err := leakage.Matches([]string{"A", "B", "A", "0"}, []string{"A", "B", "B", "0"})
	fmt.Println(hits, err)
	attack := leakage.Attack{Hits: leakage.Proportion{Successes: 140, Trials: 200}, Baseline: leakage.Proportion{Successes: 90, Trials: 200}}
	advantage, err := attack.Advantage(0.05)
	fmt.Printf("%.2f to %.2f %v\n", advantage.Lower, advantage.Upper, err)
	// Output:
	// {3 4} <nil>
	// 0.09 to 0.40 <nil>
}

func ExampleLiRA() {
	// What three reference models that did not see an example gave it, and the target model.
	phi, err := leakage.LogitOfLoss(0.05)
	if err != nil {
		panic(err)
	}
	scores, err := leakage.LiRA{}.Offline([]float64{phi}, [][]float64{{0.5, 1, 1.5}})
	fmt.Printf("%.6f %v\n", scores[0], err)
	// Output: -0.000001 <nil>
}

func ExampleSampledExposure() {
	references := []float64{40.1, 38.2, 41.9, 39.5, 42.2, 37.7, 40.6, 39.9, 41.2, 38.8}
	e, err := leakage.NewSampledExposure(31, references)
	if err != nil {
		panic(err)
	}
	lower, err := e.Lower(0.05)
	fmt.Printf("by rank %.2f bits, at least %.2f %v\n", e.ByRank(), lower, err)
	// Output: by rank 3.46 bits, at least 1.95 <nil>
}
