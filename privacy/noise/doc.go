// Package noise clips, sums and blurs the contributions of single records on an integer grid, and draws Poisson batches.
//
// For most uses: draw a batch with a [PoissonSampler], Add the gradient of each record in it to an [Accumulator], Release the noisy
// sum with a [Crypto] source, and charge the event that the sampler returns. Divide by the expected batch size, N times rate: the
// actual size is private.
//
// # Why a grid
//
// A float64 sum plus a float64 Gaussian sample is not private: the sample has few possible values, and the low bits of the result
// tell which sums could have produced it. Here a contribution is clipped, rounded to integers (multiples of clip·2^-k), summed in
// int64, blurred by an exact discrete Gaussian and converted to float64 once, after the noise. Every contribution is a vector of
// integers of norm at most Δ = 2^k, checked in integers, so sensitivity includes rounding and the sum has the same bits for every
// order of records and every number of workers.
//
// # Why the continuous curve bounds the discrete noise
//
// Let s be the noise parameter in grid units, N(x) proportional to e^(-|x|²/2s²) on Z^d, and μ in Z^d, |μ| <= Δ, the contribution
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
// Release refuses multipliers below 1/32, and k >= 20: so m >= 1/32, s >= 2^15, ms >= 2^10, and the excess is below e^-13000,
// far below the margin that package privacy adds for rounding. In the direction that adds a record the same shift with
// |r| >= cos(θ/2)·|value on the real line| costs a factor cos(θ/2)^(1-a), θ = y|μ|/s²; the excess stays negligible as long as the
// order is small against (ms)², 10^6 or more.
//
// # What is not covered
//
// Sampling times depend on the values drawn, as in every rejection sampler. Examples, Dropped and Clipped count private things:
// log them only where the raw data may be seen.
package noise
