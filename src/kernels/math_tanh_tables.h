/* What tanh is on twice as many intervals as a vector has lanes: a column is an interval, the rows are a point of each,
   tanh there, and what tells of tanh about it: of float64 its slope, 1 - tanh^2; of float32 the coefficients, one power
   of the distance t each, of a polynomial: computed with 160 bits, they interpolate (tanh - value) / t at Chebyshev's
   points, within 2^-28.1 of tanh after rounding. The points were chosen near the intervals' middles so that tanh there
   is a number of T to 1/256 ULP, as far as there are such, and 0 in the first (Gal, "Computing elementary functions: a
   new approach for achieving high accuracy and good performance", 1986). math_hyperbolic.h says where the intervals
   lie. */
#ifndef FZ_MATH_TANH_TABLES_H
#define FZ_MATH_TANH_TABLES_H

#include "vec.h"

/* clang-format off */
#if defined(FZ_T_float32)
static const T TANH_PIECES[][32] = {
    {0, 0x1.7f763ep-4f, 0x1.4112d4p-3f, 0x1.c0f75ap-3f, 0x1.1f9a58p-2f, 0x1.605ac4p-2f, 0x1.bfc958p-2f,
     0x1.2023b6p-1f, 0x1.5f7fdep-1f, 0x1.9f9d2cp-1f, 0x1.dfa83ap-1f, 0x1.0fd09cp+0f, 0x1.2fb524p+0f,
     0x1.4fca3p+0f, 0x1.7f925cp+0f, 0x1.c0329ap+0f, 0x1.0036fp+1f, 0x1.20093ep+1f, 0x1.403dccp+1f,
     0x1.5fd646p+1f, 0x1.7fb8c8p+1f, 0x1.9fca1ep+1f, 0x1.cfa7d2p+1f, 0x1.082e08p+2f, 0x1.27fc9cp+2f,
     0x1.47f4aep+2f, 0x1.67d032p+2f, 0x1.87b6eap+2f, 0x1.a80956p+2f, 0x1.cfdca8p+2f, 0x1.f708cap+2f,
     0x1.15518ap+3f},
    {0, 0x1.7e5874p-4f, 0x1.3e77fcp-3f, 0x1.b9e8ep-3f, 0x1.184592p-2f, 0x1.531398p-2f, 0x1.a54538p-2f,
     0x1.0522dcp-1f, 0x1.310544p-1f, 0x1.5752a2p-1f, 0x1.77afbap-1f, 0x1.929b8cp-1f, 0x1.a8ad2p-1f,
     0x1.bab9e8p-1f, 0x1.cf47e8p-1f, 0x1.e2077cp-1f, 0x1.eda486p-1f, 0x1.f4c172p-1f, 0x1.f92c12p-1f,
     0x1.fbd254p-1f, 0x1.fd75p-1f, 0x1.fe752ep-1f, 0x1.ff44f6p-1f, 0x1.ffbbeap-1f, 0x1.ffe6ccp-1f,
     0x1.fff6b8p-1f, 0x1.fffc92p-1f, 0x1.fffebcp-1f, 0x1.ffff8ap-1f, 0x1.ffffdep-1f, 0x1.fffff6p-1f,
     0x1.fffffep-1f},
    {0, 0x1.fb89e8p-1f, 0x1.f39e8ep-1f, 0x1.e8295ep-1f, 0x1.d9a4f8p-1f, 0x1.c7dc64p-1f, 0x1.a95868p-1f,
     0x1.7acff4p-1f, 0x1.4a493ap-1f, 0x1.19c8bcp-1f, 0x1.d8abb4p-2f, 0x1.86d31ep-2f, 0x1.3f821p-2f,
     0x1.025984p-2f, 0x1.7335a6p-3f, 0x1.d17f44p-4f, 0x1.2073a8p-4f, 0x1.63de44p-5f, 0x1.b21196p-6f,
     0x1.0a53a8p-6f, 0x1.44b11p-7f, 0x1.8a39c4p-8f, 0x1.75cfaap-9f, 0x1.1045e2p-10f, 0x1.9335f8p-12f,
     0x1.28fd44p-13f, 0x1.b6feccp-15f, 0x1.43ff94p-16f, 0x1.d7ffep-18f, 0x1.0ff0c6p-19f, 0x1.3fcf4ep-21f,
     0x1.fe1392p-24f},
    {0x1.b8f908p-31f, -0x1.7b039p-4f, -0x1.36c48ep-3f, -0x1.a555a8p-3f, -0x1.034692p-2f, -0x1.2de5dcp-2f,
     -0x1.5df8ap-2f, -0x1.82698cp-2f, -0x1.898806p-2f, -0x1.79e6eap-2f, -0x1.5ad402p-2f, -0x1.335284p-2f,
     -0x1.0903c4p-2f, -0x1.beca32p-3f, -0x1.4fe36ep-3f, -0x1.b63fc6p-4f, -0x1.161c0cp-4f, -0x1.5c0d64p-5f,
     -0x1.ac477ap-6f, -0x1.082712p-6f, -0x1.4313fcp-7f, -0x1.890976p-8f, -0x1.754228p-9f, -0x1.101decp-10f,
     -0x1.931c88p-12f, -0x1.28f3cp-13f, -0x1.b6f5c8p-15f, -0x1.43fa5p-16f, -0x1.d7f8dap-18f,
     -0x1.0ff4fcp-19f, -0x1.3f89b2p-21f, -0x1.fe1eb8p-24f},
    {-0x1.55557p-2f, -0x1.4983a4p-2f, -0x1.34eac8p-2f, -0x1.17fbf4p-2f, -0x1.e998bep-3f, -0x1.97e15p-3f,
     -0x1.172c32p-3f, -0x1.bbac98p-5f, 0x1.c818ep-7f, 0x1.062feep-4f, 0x1.83babap-4f, 0x1.bd8ad8p-4f,
     0x1.c53fd2p-4f, 0x1.ac3604p-4f, 0x1.6860a6p-4f, 0x1.016e1ep-4f, 0x1.57f9bap-5f, 0x1.bb9288p-6f,
     0x1.15e0b4p-6f, 0x1.5a71ecp-7f, 0x1.aa7d84p-8f, 0x1.047268p-8f, 0x1.f04ad6p-10f, 0x1.6a70e4p-11f,
     0x1.0ca598p-12f, 0x1.8be592p-14f, 0x1.24a5acp-15f, 0x1.b00164p-17f, 0x1.3aa72p-18f, 0x1.6a4c46p-20f,
     0x1.aaa994p-22f, 0x1.55736ep-24f},
    {0x1.f02fe6p-16f, 0x1.f26878p-5f, 0x1.8f10e8p-4f, 0x1.051c1p-3f, 0x1.32ace4p-3f, 0x1.5025a2p-3f,
     0x1.5b8c52p-3f, 0x1.39ceccp-3f, 0x1.ea829ep-4f, 0x1.4833d8p-4f, 0x1.648cbcp-5f, 0x1.de637p-7f,
     -0x1.640992p-8f, -0x1.209c84p-6f, -0x1.965e28p-6f, -0x1.807958p-6f, -0x1.2485aep-6f, -0x1.940fe6p-7f,
     -0x1.07491ep-7f, -0x1.4fba1cp-8f, -0x1.a2ebe6p-9f, -0x1.01ead4p-9f, -0x1.f26a8cp-11f,
     -0x1.6d733ep-12f, -0x1.0f3da4p-13f, -0x1.8febf6p-15f, -0x1.27a948p-16f, -0x1.b476e8p-18f,
     -0x1.3df39cp-19f, -0x1.6633dcp-21f, -0x1.bc3808p-23f, -0x1.55d19p-25f},
    {0x1.0fe1bep-3f, 0x1.f9f9d6p-4f, 0x1.b6fedap-4f, 0x1.5bdd04p-4f, 0x1.e40aa6p-5f, 0x1.058a5p-5f,
     -0x1.88c26ap-8f, -0x1.64bdfcp-5f, -0x1.f8b2a8p-5f, -0x1.00d7ecp-4f, -0x1.b2dc5cp-5f, -0x1.406fb6p-5f,
     -0x1.9e7c06p-6f, -0x1.c8449ep-7f, -0x1.6851ep-9f, 0x1.dfac1p-9f, 0x1.387c36p-8f, 0x1.053b92p-8f,
     0x1.7688eep-9f, 0x1.f3a7bcp-10f, 0x1.403d36p-10f, 0x1.913da8p-11f, 0x1.873834p-12f, 0x1.239cd8p-13f,
     0x1.afe002p-15f, 0x1.3e70bp-16f, 0x1.d547eep-18f, 0x1.598c54p-19f, 0x1.fbae0ap-21f, 0x1.66dd2p-22f,
     0x1.56b0f4p-24f, 0x1.b47168p-27f},
};
#else
static const T TANH_PIECES[][16] = {
    {0, 0x1.81e20ed8e0713p-2, 0x1.7f9a8c229ac9ep-1, 0x1.3f1084e6bc4fcp+0, 0x1.c021ab990ce73p+0,
     0x1.202cc83debe9ep+1, 0x1.7f56f50430a63p+1, 0x1.ffb86e0146ffp+1, 0x1.40008523022c3p+2,
     0x1.805dc75a58c5cp+2, 0x1.df677e9d9289dp+2, 0x1.30a040584a969p+3, 0x1.6f8df63cea4b7p+3,
     0x1.b03d803ddcf96p+3, 0x1.0848bf9618e03p+4, 0x1.2b71edba9bf2p+4},
    {0, 0x1.70991de455db9p-2, 0x1.44f5b044cdc1p-1, 0x1.b1cb821cecdcdp-1, 0x1.e203a292c49bep-1,
     0x1.f4c79d44d192p-1, 0x1.fd711c763eb0bp-1, 0x1.ffa7b48b16e66p-1, 0x1.fff4199810699p-1,
     0x1.fffe685d59c45p-1, 0x1.ffffeb15e33c5p-1, 0x1.ffffffa370173p-1, 0x1.fffffffe2fef9p-1,
     0x1.fffffffff7db6p-1, 0x1.fffffffffffafp-1, 0x1.fffffffffffffp-1},
    {1, 0x1.bda8edcf59579p-1, 0x1.31c097037d0f8p-1, 0x1.20edf0128abcp-2, 0x1.d1b93f0873d96p-4,
     0x1.631d302a5e132p-5, 0x1.46a05af4e4ffp-7, 0x1.610f5fadc888ap-10, 0x1.7cc8911061e27p-13,
     0x1.97a203f60b04bp-16, 0x1.4ea1c56555872p-20, 0x1.723fa31e737d2p-26, 0x1.d01070023f709p-32,
     0x1.0493fe12abe4ap-37, 0x1.43fe1602b04e3p-46, 0x1.ffa6b5af9f3f3p-53},
};
#endif
/* clang-format on */

#endif
