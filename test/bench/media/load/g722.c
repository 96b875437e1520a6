#include "load.h"
#include <stdlib.h>
struct g722 { int x; };
g722_t *g722_new(void) { return calloc(1, sizeof(g722_t)); }
int g722_encode(g722_t *s, const int16_t *x, int n, uint8_t *to) { (void)s; for (int i = 0; i < n / 2; i++) to[i] = x[2*i] >> 8; return n / 2; }
int g722_decode(g722_t *s, const uint8_t *b, int n, int16_t *to) { (void)s; for (int i = 0; i < n; i++) to[2*i] = to[2*i+1] = b[i] << 8; return 2 * n; }
