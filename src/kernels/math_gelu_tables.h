/* Polynomials for gelu on 32 intervals, by a = |x|: a column is an interval, those from 16 on below 0; a row the points
   about which the polynomials are, the function there, and the coefficients of one power each of the distance. The
   function is the normal distribution's share below x, and below 0 that times e^(a^2 / 2). The points were chosen near
   the intervals' middles so that it is a number of T to 1/128 ULP there, as far as there are such (Gal, "Computing
   elementary functions: a new approach for achieving high accuracy and good performance", 1986). The coefficients,
   computed with 160 bits, interpolate at Chebyshev's points: within 2^-25.7 of the function after rounding. math_erf.h
   says where the intervals lie. */
#ifndef FZ_MATH_GELU_TABLES_H
#define FZ_MATH_GELU_TABLES_H

#include "vec.h"

#if defined(FZ_T_float32)
/* clang-format off */
static const T GELU_PIECES[][32] = {
    {0x1.fd3f0cp-4f, 0x1.7d597p-2f, 0x1.413454p-1f, 0x1.c1ce46p-1f, 0x1.402998p+0f, 0x1.befd84p+0f,
     0x1.20fd5cp+1f, 0x1.6038dep+1f, 0x1.c0a6cep+1f, 0x1.200022p+2f, 0x1.60ff8ep+2f, 0x1.ap+2f, 0x1p+3f,
     0x1.4p+3f, 0x1.8p+3f, 0x1.cp+3f, 0x1.011cap-3f, 0x1.7e5bb6p-2f, 0x1.40b49p-1f, 0x1.c16528p-1f,
     0x1.3f7858p+0f, 0x1.c054fp+0f, 0x1.1f3996p+1f, 0x1.5f67ep+1f, 0x1.be57dp+1f, 0x1.20d03ep+2f,
     0x1.60c858p+2f, 0x1.9f04d2p+2f, 0x1.006438p+3f, 0x1.3ff68ap+3f, 0x1.80c046p+3f, 0x1.b8bec8p+3f},
    {0x1.195468p-1f, 0x1.4a588ap-1f, 0x1.7835dap-1f, 0x1.9ecebep-1f, 0x1.c9f776p-1f, 0x1.eb509cp-1f,
     0x1.f9dd9ap-1f, 0x1.fe7b8p-1f, 0x1.ffe216p-1f, 0x1.ffff8ep-1f, 0x1p+0f, 0x1p+0f, 0x1p+0f, 0x1p+0f, 0x1p+0f,
     0x1p+0f, 0x1.d07e7cp-2f, 0x1.8522f6p-2f, 0x1.4ad6d8p-2f, 0x1.1e0e36p-2f, 0x1.d910e2p-3f, 0x1.7b27f2p-3f,
     0x1.3b572ap-3f, 0x1.0c198ep-3f, 0x1.b502fep-4f, 0x1.5a7474p-4f, 0x1.1f856p-4f, 0x1.ecc2dap-5f,
     0x1.91d0b6p-5f, 0x1.43aceep-5f, 0x1.0df87p-5f, 0x1.d8192ap-6f},
    {0x1.955f2cp-2f, 0x1.7d25ecp-2f, 0x1.4f8acep-2f, 0x1.15b966p-2f, 0x1.75c4c4p-3f, 0x1.63d638p-4f,
     0x1.ff09e6p-6f, 0x1.288f04p-7f, 0x1.c174e4p-11f, 0x1.0c3bdep-16f, 0x1.fee17ep-25f, 0, 0, 0, 0, 0,
     -0x1.5e33f6p-2f, -0x1.0736eep-2f, -0x1.9292cp-3f, -0x1.3ae0b2p-3f, -0x1.c55c76p-4f, -0x1.3209e6p-4f,
     -0x1.b5b56p-5f, -0x1.440406p-5f, -0x1.b8bc48p-6f, -0x1.1a77e4p-6f, -0x1.897d88p-7f, -0x1.22f7fep-7f,
     -0x1.8593f6p-8f, -0x1.fc1004p-9f, -0x1.62738cp-9f, -0x1.0f64b4p-9f},
    {-0x1.93307ap-6f, -0x1.1be318p-4f, -0x1.a501b2p-4f, -0x1.e7f9d4p-4f, -0x1.d372a2p-4f, -0x1.36a7dcp-4f,
     -0x1.20725cp-5f, -0x1.9805bp-7f, -0x1.89d728p-10f, -0x1.2dbb92p-15f, -0x1.99da74p-20f, 0, 0, 0, 0, 0,
     0x1.a48746p-3f, 0x1.22da5cp-3f, 0x1.998408p-4f, 0x1.27bc24p-4f, 0x1.7c5e68p-5f, 0x1.bcb1f4p-6f,
     0x1.172b1ap-6f, 0x1.6db88cp-7f, 0x1.a65b1cp-8f, 0x1.bc7ce2p-9f, 0x1.06519ap-9f, 0x1.50d5c6p-10f,
     0x1.7487d2p-11f, 0x1.8b13f6p-12f, 0x1.ce55ccp-13f, 0x1.367546p-13f},
    {-0x1.0a11d4p-4f, -0x1.b5b63ep-5f, -0x1.0f4f32p-5f, -0x1.5201aap-7f, 0x1.191692p-6f, 0x1.e5ff38p-6f,
     0x1.5cfe2cp-6f, 0x1.44d85p-7f, 0x1.a68456p-10f, 0x1.ab403p-15f, 0x1.61b22cp-20f, 0, 0, 0, 0, 0,
     -0x1.afbd48p-4f, -0x1.168cc6p-4f, -0x1.6dc192p-5f, -0x1.ed92dcp-6f, -0x1.2006aep-6f, -0x1.28e718p-7f,
     -0x1.4bf7c4p-8f, -0x1.855e4cp-9f, -0x1.82dbc2p-10f, -0x1.5285fep-11f, -0x1.5552cep-12f, -0x1.7e9fdap-13f,
     -0x1.5f7d9cp-14f, -0x1.307454p-15f, -0x1.2b9792p-16f, -0x1.61615ep-17f},
    {0x1.8fa296p-8f, 0x1.0e38dep-6f, 0x1.6decb8p-6f, 0x1.6a1fp-6f, 0x1.bf6adcp-7f, -0x1.3fc784p-12f,
     -0x1.93760ep-8f, -0x1.37366ap-8f, -0x1.30d612p-10f, -0x1.b03f44p-15f, 0x1.aefa34p-17f, 0, 0, 0, 0, 0,
     0x1.898d9ep-5f, 0x1.dde71p-6f, 0x1.26deccp-6f, 0x1.76f8aap-7f, 0x1.91549ep-8f, 0x1.7193bap-9f,
     0x1.73a2dp-10f, 0x1.89c4fep-11f, 0x1.5461cp-12f, 0x1.f472c8p-14f, 0x1.b23eep-15f, 0x1.aae52ap-16f,
     0x1.476e8ep-17f, 0x1.d134cap-19f, 0x1.81cc88p-20f, 0x1.90b4d8p-21f},
    {0x1.394f0cp-7f, 0x1.ba202p-8f, 0x1.1b58a6p-9f, -0x1.2e841p-9f, -0x1.838994p-8f, -0x1.1b56b2p-8f,
     -0x1.cd2f8ap-12f, 0x1.225c2ep-10f, 0x1.306952p-11f, 0x1.64b19p-15f, -0x1.6412bp-19f, 0, 0, 0, 0, 0,
     -0x1.46b632p-6f, -0x1.773f52p-7f, -0x1.b66c16p-8f, -0x1.080a96p-8f, -0x1.06b1cap-9f, -0x1.b394d6p-11f,
     -0x1.8d6cfap-12f, -0x1.7edd76p-13f, -0x1.2500a4p-14f, -0x1.6beaaep-16f, -0x1.10a2p-17f, -0x1.d76d76p-19f,
     -0x1.333382p-20f, -0x1.650012p-22f, -0x1.f28622p-24f, -0x1.c63e9ap-25f},
    {-0x1.ab4de6p-15f, -0x1.3c27dcp-10f, -0x1.d68ca2p-9f, -0x1.d3aa22p-10f, -0x1.24f3fap-11f, 0x1.4aed58p-10f,
     0x1.06daeap-10f, 0x1.626228p-13f, -0x1.71d7fcp-13f, -0x1.8af00ep-16f, -0x1.34bb7ap-15f, 0, 0, 0, 0, 0,
     0x1.c7ab58p-8f, 0x1.d9b474p-9f, 0x1.4f05f6p-9f, 0x1.342d4cp-10f, 0x1.3c8da8p-11f, 0x1.c7acd6p-13f,
     0x1.a3d0b4p-14f, 0x1.7b53ecp-15f, 0x1.d846dep-17f, 0x1.00759ep-18f, 0x1.41537ap-20f, 0x1.fc9c62p-22f,
     0x1.18d1ep-23f, 0x1.0a1fa6p-25f, 0x1.41d9e4p-27f, 0x1.7a3aecp-29f},
};
/* clang-format on */
#endif

#endif
