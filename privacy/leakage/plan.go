package leakage

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	rand2 "math/rand/v2"
	"slices"
)

// Plan decides by coins which canaries go into the data of a run that is to be audited, and fixes the guesses that the audit will make.
//
//	plan, err := leakage.NewPlan(1000)
//	for i := range plan.Len() {
//		if plan.In(i) { data = append(data, canary(i)) }
//	}
//	... train ...
//	scores, err := plan.Scores(func(i int) (float64, error) { return -loss(model, canary(i)), nil })
//	report, err := plan.Audit(scores, leakage.Config{Delta: 1e-5, Claim: spent.Upper})
//
// Whoever knows the coins can make any score: keep the plan from what computes the scores. Publish [Plan.Digest] before the run, and the
// plan after it, to show that nothing was chosen by looking. A Plan does not change and is safe for concurrent use.
type Plan struct {
	coins   []bool
	guesses []Guesses
	salt    [32]byte
	seeded  bool
}

// maxPlan is the largest number of canaries in a plan.
const maxPlan = 1 << 20

// NewPlan tosses a coin, from the operating system's generator, for each of 1 to 2^20 canaries. Without guesses, those of [DefaultGuesses]
// are fixed.
func NewPlan(canaries int, guesses ...Guesses) (*Plan, error) {
	return newPlan(rand.Reader, canaries, guesses)
}

// NewSeededPlan tosses coins that anybody who knows the seed can toss again: for tests and repetitions only. Its report says so.
func NewSeededPlan(seed uint64, canaries int, guesses ...Guesses) (*Plan, error) {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	p, err := newPlan(rand2.NewChaCha8(key), canaries, guesses)
	if err == nil {
		p.seeded = true
	}
	return p, err
}

func newPlan(source io.Reader, canaries int, guesses []Guesses) (*Plan, error) {
	if err := checkCount("canaries", canaries, 1, maxPlan); err != nil {
		return nil, err
	}
	if len(guesses) == 0 {
		guesses = DefaultGuesses(canaries)
	}
	if err := checkGuesses(guesses, canaries); err != nil {
		return nil, err
	}
	p := &Plan{coins: make([]bool, canaries), guesses: slices.Clone(guesses)}
	bits := make([]byte, (canaries+7)/8)
	if _, err := io.ReadFull(source, bits); err != nil {
		return nil, fmt.Errorf("leakage: no coins: %w", err)
	}
	if _, err := io.ReadFull(source, p.salt[:]); err != nil {
		return nil, fmt.Errorf("leakage: no salt: %w", err)
	}
	for i := range p.coins {
		p.coins[i] = bits[i/8]>>(i%8)&1 == 1
	}
	return p, nil
}

// Len is the number of canaries.
func (p *Plan) Len() int { return len(p.coins) }

// In reports whether canary i, from 0, goes into the data. It panics if there is no such canary.
func (p *Plan) In(i int) bool { return p.coins[i] }

// Members lists the canaries that go into the data.
func (p *Plan) Members() []int {
	var list []int
	for i, in := range p.coins {
		if in {
			list = append(list, i)
		}
	}
	return list
}

// Guesses lists the guesses that the audit makes.
func (p *Plan) Guesses() []Guesses { return slices.Clone(p.guesses) }

// Scores asks for the score of every canary in turn, whether or not it was in the data: higher for what looks like it was. It stops at the
// first error or NaN.
func (p *Plan) Scores(score func(canary int) (float64, error)) ([]float64, error) {
	scores := make([]float64, len(p.coins))
	for i := range scores {
		s, err := score(i)
		if err != nil {
			return nil, fmt.Errorf("leakage: score of canary %d: %w", i, err)
		}
		scores[i] = s
		if err := checkNumbers(fmt.Sprintf("score of canary %d", i), scores[i:i+1]); err != nil {
			return nil, err
		}
	}
	return scores, nil
}

// Audit makes the guesses of the plan from the scores of all canaries, in their order; see [AuditCanaries].
func (p *Plan) Audit(scores []float64, cfg Config) (Report, error) {
	if len(p.coins) == 0 {
		return Report{}, invalid("Plan", "empty", "one of NewPlan")
	}
	r, err := AuditCanaries(scores, p.coins, p.guesses, cfg)
	if err == nil && p.seeded {
		r.Assumptions = append(r.Assumptions, "the seed of the coins was known to nobody who had a part in the run")
	}
	return r, err
}

// Digest is the SHA-256 of what MarshalJSON writes, in hexadecimal. A salt in it keeps the coins of a small plan from being guessed.
func (p *Plan) Digest() string {
	data, err := p.MarshalJSON()
	if err != nil {
		return "" // plain values are always written
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// wirePlan is a Plan in JSON. Coin i is bit i%8 of byte i/8.
type wirePlan struct {
	Version  int       `json:"version"`
	Canaries int       `json:"canaries"`
	Coins    string    `json:"coins"`
	Guesses  []Guesses `json:"guesses"`
	Salt     string    `json:"salt"`
	Seeded   bool      `json:"seeded,omitempty"`
}

// MarshalJSON writes the plan with its coins: keep the file to yourself until the audit is over. Equal plans give equal bytes.
func (p *Plan) MarshalJSON() ([]byte, error) {
	bits := make([]byte, (len(p.coins)+7)/8)
	for i, in := range p.coins {
		if in {
			bits[i/8] |= 1 << (i % 8)
		}
	}
	return json.Marshal(wirePlan{1, len(p.coins), hex.EncodeToString(bits), p.guesses, hex.EncodeToString(p.salt[:]), p.seeded})
}

// UnmarshalJSON reads what MarshalJSON writes, with known fields only. On error the plan is unchanged.
func (p *Plan) UnmarshalJSON(data []byte) error {
	var w wirePlan
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&w); err != nil {
		return fmt.Errorf("%w: plan: %w", ErrInvalid, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return invalid("plan", "more than one value", "one object")
	}
	if w.Version != 1 {
		return invalid("version", w.Version, "1")
	}
	if err := checkCount("canaries", w.Canaries, 1, maxPlan); err != nil {
		return err
	}
	bits, err := hex.DecodeString(w.Coins)
	if err != nil || len(bits) != (w.Canaries+7)/8 || w.Canaries%8 != 0 && bits[len(bits)-1]>>(w.Canaries%8) != 0 {
		return invalid("coins", "a secret", fmt.Sprintf("%d bits in hexadecimal", w.Canaries))
	}
	salt, err := hex.DecodeString(w.Salt)
	if err != nil || len(salt) != len(p.salt) {
		return invalid("salt", "a secret", "32 bytes in hexadecimal")
	}
	if err := checkGuesses(w.Guesses, w.Canaries); err != nil {
		return err
	}
	n := Plan{coins: make([]bool, w.Canaries), guesses: w.Guesses, salt: [32]byte(salt), seeded: w.Seeded}
	for i := range n.coins {
		n.coins[i] = bits[i/8]>>(i%8)&1 == 1
	}
	*p = n
	return nil
}
