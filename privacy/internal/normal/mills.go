package normal

const (
	// millsErr bounds the relative error of pair.mills for x >= 0: discretisation below 2^-95, rounding below 2^-94.
	millsErr = 0x1p-92
	// strip is 2 pi over the step of the rule, 17/32.
	strip = 11.827
)

func sqrtTwoPi() pair    { return pair{0x1.40d931ff62706p+1, -0x1.a6a0d6f814637p-53} }
func invSqrtTwoPi() pair { return pair{0x1.9884533d43651p-2, -0x1.cbc0d30ebfd15p-56} }

// mills returns the Mills ratio m(x) = (1-Phi(x))/phi(x) for 0 <= x <= 1e100.
//
// For x > 0, m(x) = (2 pi)^(-1/2) times the integral over the real line of f(s) = x e^(-s²/2)/(s²+x²) (Plana; Matta, Reichl 1971,
// Math. Comp. 25). The midpoint rule of step H differs from it by the pole at ix, if that lies within the strip |Im s| < a, and by
// at most 2/(e^(2 pi a/H)-1) times the integral of |f(s+ia)|, which is at most sqrt(2 pi) x e^(a²/2)/|a²-x²|. Let b = 2 pi/H: with
// a = b+1 for x < b, and b-1 otherwise, the error is below 2.1 e^((1-b²)/2) = 2^-99 absolutely, and below 2^-95 m(x) as
// m(x) >= x/(x²+1). The pole contributes sqrt(2 pi) e^(x²/2)/(e^(2 pi x/H)+1). All terms are positive: there is no cancellation
// for any x. The terms left out are below e^(-s²/2) at s = 12.4, 2^-112.
func (x pair) mills() pair {
	square := x.times(x)
	sum := pair{}
	s := 17.0 / 64
	for _, weight := range [...]pair{ // e^(-s²/2) at s = (n+1/2) 17/32
		{0x1.ee409cdc3dfc2p-1, 0x1.26a28af2596b4p-55},
		{0x1.74b79537f213cp-1, -0x1.d66a19a8df035p-59},
		{0x1.a7e828fdab61ap-2, 0x1.091a32b984cfdp-59},
		{0x1.6b92cc73b2c96p-3, -0x1.ec44453d82ea3p-57},
		{0x1.d64ca20d0d43bp-5, -0x1.9efc7fa94c344p-61},
		{0x1.cac30032aef09p-7, 0x1.8f4407a456cedp-62},
		{0x1.517765b367a0dp-9, -0x1.d04b3eadba825p-68},
		{0x1.766617caa31dbp-12, -0x1.c15fec42c5041p-66},
		{0x1.393be8cf50d21p-15, 0x1.103679b84f441p-69},
		{0x1.8b3e27b155b74p-19, 0x1.8b50b6fd85d3ep-75},
		{0x1.78168ba0fad17p-23, 0x1.5f04256fa30c5p-77},
		{0x1.0ddd4dfb463a8p-27, -0x1.6bff1057a3555p-82},
		{0x1.240db29aeb03cp-32, -0x1.5b3ee62817724p-86},
		{0x1.dcb1aaae9def9p-38, 0x1.00f74db1695e6p-92},
		{0x1.255f095ab01b1p-43, 0x1.8a73b7290bf31p-98},
		{0x1.104e21267f1c1p-49, 0x1.740c5d8f73192p-108},
		{0x1.7d33a53693658p-56, 0x1.4f4eec41e1aeap-110},
		{0x1.926caa537f9c5p-63, -0x1.7a4ae430ed928p-119},
		{0x1.405d535a6d0fap-70, -0x1.8425381636a87p-124},
		{0x1.80a640a95500bp-78, -0x1.f2da920a2180bp-132},
		{0x1.5c4529d1cc17ep-86, -0x1.5646068e6b167p-141},
		{0x1.db95b9aa904d5p-95, -0x1.d2fc2df335775p-149},
		{0x1.e9bed0260d9e2p-104, -0x1.a4326780bf5c2p-160},
	} {
		sum = sum.plus(weight.over(square.plus(pair{float64(s * s), 0})))
		s += 17.0 / 32
	}
	m := sum.times(x).times(pair{0x1.b20c9871179b6p-2, -0x1.a87ce03fabce6p-56}) // 2H/sqrt(2 pi)
	if x.hi > strip {
		return m
	}
	// sqrt(2 pi)/(e^(2 pi x/H - x²/2) + e^(-x²/2))
	half := square.scaled(-1)
	e, k := pair{0x1.7a78322220c53p+3, 0x1.54453931f7892p-53}.times(x).minus(half).exp()
	g, l := half.neg().exp()
	return m.plus(sqrtTwoPi().over(e.scaled(k).plus(g.scaled(l))))
}
