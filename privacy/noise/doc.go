// Package noise clips, sums and blurs the contributions of single records on an integer grid, and draws the batches.
//
// For most uses: give a [Trainer] a [Sampler], an [Accumulator] and a budget, and call Step with a function that adds the gradient of
// each record of a batch. It charges before it draws, adds noise once per batch, and divides by the expected batch size: the actual
// one is private. For counts there is [Laplace].
//
// The parts can be used by themselves: draw a batch, charge the event that the sampler returns, Add each gradient to an Accumulator,
// Release the noisy sum with a [Crypto] source.
//
// # Which sampler
//
//   - [PoissonSampler]: each record enters each batch by chance. The standard; least epsilon for most runs.
//   - [TruncatedSampler]: the same, with a largest batch.
//   - [AllocationSampler]: each record comes once per epoch, in a random batch. Close to Poisson in cost. ReplaceSpecial only.
//   - [FixedSampler]: every batch has one size. A record displaces another, which costs more under AddRemove.
//   - [ShuffledSampler]: batches cut from a shuffled list, charged as the plain Gaussian per epoch that they are.
//
// # Which clip norm
//
// [NewAccumulator] clips whole vectors, [NewLayered] each layer to a norm of its own, [NewAdaptive] follows a quantile of the norms and
// noises and charges the count that takes. Schedules for clip norm and noise multiplier are fixed before the run.
//
// # Why a grid
//
// A float64 sum plus a float64 Gaussian sample is not private: the sample has few possible values, and the low bits of the result
// tell which sums could have produced it. Here a contribution is clipped, rounded to integers (multiples of clip·2^-k), summed in
// int64, blurred by exact integer noise and converted to float64 once, after the noise. Every contribution is a vector of integers
// of norm at most Δ = 2^k, checked in integers, so sensitivity includes rounding and the sum has the same bits for every order of
// records and every number of workers.
//
// The noise of Release is a real Gaussian rounded to integers ([RoundedGaussian]). As n + round(z) = round(n + z) for an integer n,
// what is released is a function of n + z alone: the mechanism is the Gaussian mechanism, rounded afterwards, and every bound for that
// one holds, under all samplers and accountants and at every multiplier. Layers only restrict the contributions further, and the
// count of an adaptive clip norm is one more coordinate of the same vector under the same noise.
//
// # Discrete Gaussian noise
//
// For callers of [DiscreteGaussian]: how far the curve of the continuous Gaussian bounds it. Let s be the noise parameter in grid units, N(x) proportional to e^(-|x|²/2s²) on Z^d, and μ in Z^d, |μ| <= Δ, the contribution
// of one record. Both directions of one release have the likelihood ratio e^l, l = (2<x,μ>-|μ|²)/2s², whose normalisers are
// equal because μ shifts the lattice onto itself. Batches of the other records only mix such pairs, which cannot increase a Rényi
// divergence beyond the worst pair.
//
// Plain noise. E[e^(kl)] = e^((k²-k)|μ|²/2s²)·t(kμ)/t(0), where t(y) is the sum of e^(-|x-y|²/2s²) over Z^d. By Poisson
// summation t(y) is a positive multiple of the sum over w in Z^d of e^(-2π²s²|w|²)·cos(2π<w,y>), so t(kμ) <= t(0), with equality
// for integer k. The divergence is at most that of the continuous Gaussian at every order, in every dimension, and equal to it at
// integer orders (Canonne, Kamath, Steinke 2020, "The discrete Gaussian for differential privacy").
//
// Poisson batches. The divergence that removes a record is that of A = E[r^a], r = 1-q+q·e^l. At integer orders expand the power:
// every E[e^(jl)] equals the continuous value, hence so does A. At a real order let A be the continuous value and write the lattice
// sum by Poisson summation over frequencies w, each with n = <w,μ>, an integer. With g = r^a a function of <x,μ> alone, the
// transform of (density·g) at w factors into e^(-2π²s²(|w|²-n²/|μ|²)), across μ, and a one-dimensional integral along μ. Shifting
// that integral by i·y, y < πs²/|μ|, where r has no zero and |r| is at most its value on the real line, bounds it by
// A·e^(y²/2s²-2πy|n|/|μ|); y -> πs²/|μ| gives A·e^(-π²m²(2|n|-1/2)), m = s/|μ|. The w with a given n form a coset of the lattice
// orthogonal to μ, so the sum of the across factors is largest for n = 0, where it is at most the normaliser
// D = sum of e^(-2π²s²|w|²); and for n ≠ 0 it is at most e^(2π²m²n²)·(D-1), D-1 < 3d·e^(-2π²s²). Using the second bound for
// |n| < 0.9|μ| and the first beyond, where 2|n|-1/2 >= 1.35|μ|,
//
//	A_discrete <= A·(1 + 2e^(-13ms)/(1-e^(-2π²m²)) + 6d|μ|e^(-3.7s²)).
//
// At m >= 1/32 and s >= 2^15, ms >= 2^10, the excess is below e^-13000, far below the margin that package privacy adds for rounding. In the direction that adds a record the same shift with
// |r| >= cos(θ/2)·|value on the real line| costs a factor cos(θ/2)^(1-a), θ = y|μ|/s²; the excess stays negligible as long as the
// order is small against (ms)², 10^6 or more.
//
// # Ghost clipping
//
// A framework that knows the norm of a gradient before the gradient can skip measuring it: [Accumulator.AddWithNorm]. There is no way to add
// a sum that the framework has clipped by itself, from factors, without the gradients of single records, because one record is not bounded in such a
// sum. Each sum rounds in floating point and on the grid once for all its records, and to remove a record from a batch moves others
// from one micro-batch into another: all sums change by their rounding, sqrt(d) steps and the float errors for each micro-batch, not for each
// record. A NaN in one record makes the whole sum NaN, and the others are lost with it. And nothing could check in integers, as Add
// does, that the factors were applied.
//
// # What is not covered
//
// Sampling times depend on the values drawn, as in every rejection sampler. Release draws 512 samples before it uses the first, so that what
// can be timed is the time of hundreds; it does not depend on the sum. Examples, Dropped and Clipped count private things:
// log them only where the raw data may be seen.
package noise
