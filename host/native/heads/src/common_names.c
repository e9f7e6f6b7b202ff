#include "common_names.h"

#include <string.h>

#define SAME(byte) [byte] = byte
#define LETTER(upper) [upper] = (upper) | 0x20, SAME((upper) | 0x20)

const uint8_t SNT_LOWER[256] = {
    SAME('!'), SAME('#'), SAME('$'), SAME('%'), SAME('&'), SAME('\''), SAME('*'), SAME('+'), SAME('-'), SAME('.'),
    SAME('^'), SAME('_'), SAME('`'), SAME('|'), SAME('~'),
    SAME('0'), SAME('1'), SAME('2'), SAME('3'), SAME('4'), SAME('5'), SAME('6'), SAME('7'), SAME('8'), SAME('9'),
    LETTER('A'), LETTER('B'), LETTER('C'), LETTER('D'), LETTER('E'), LETTER('F'), LETTER('G'), LETTER('H'), LETTER('I'),
    LETTER('J'), LETTER('K'), LETTER('L'), LETTER('M'), LETTER('N'), LETTER('O'), LETTER('P'), LETTER('Q'), LETTER('R'),
    LETTER('S'), LETTER('T'), LETTER('U'), LETTER('V'), LETTER('W'), LETTER('X'), LETTER('Y'), LETTER('Z'),
};

/* Names of one length behind each other, the more common ones first. */
static const char *const COMMON[SNT_COMMON_LENGTH + 1] = {
    [2] = "te",
    [3] = "age" "via" "dnt",
    [4] = "host" "date" "etag" "vary" "link" "from",
    [5] = "range" "allow",
    [6] = "accept" "server" "cookie" "origin" "pragma" "expect",
    [7] = "referer" "expires" "alt-svc" "upgrade" "trailer",
    [8] = "location" "priority" "if-match" "if-range",
    [9] = "forwarded" "x-real-ip",
    [10] = "user-agent" "connection" "set-cookie" "keep-alive" "tracestate",
    [11] = "traceparent" "retry-after",
    [12] = "content-type" "x-request-id" "x-powered-by",
    [13] = "cache-control" "authorization" "last-modified" "accept-ranges" "if-none-match" "content-range",
    [14] = "content-length" "sec-fetch-dest" "sec-fetch-mode" "sec-fetch-site" "sec-fetch-user",
    [15] = "accept-encoding" "accept-language" "x-forwarded-for" "x-frame-options" "referrer-policy",
    [16] = "content-encoding" "x-forwarded-host" "sec-ch-ua-mobile" "www-authenticate" "content-language"
           "content-location",
    [17] = "transfer-encoding" "x-forwarded-proto" "if-modified-since",
    [18] = "sec-ch-ua-platform",
    [19] = "content-disposition" "if-unmodified-since" "proxy-authorization",
    [22] = "x-content-type-options",
    [23] = "content-security-policy",
    [25] = "strict-transport-security" "upgrade-insecure-requests",
    [27] = "access-control-allow-origin",
};

int snt_common_place(const uint8_t *name, size_t length) {
  const char *common = length <= SNT_COMMON_LENGTH ? COMMON[length] : NULL;
  if (common == NULL) return -1;
  for (int place = 0; *common != 0; place++, common += length)
    if ((uint8_t)*common == *name && memcmp(common, name, length) == 0) return place;
  return -1;
}

snt_text snt_common_name(size_t length, size_t place) {
  const char *common = length <= SNT_COMMON_LENGTH ? COMMON[length] : NULL;
  if (common == NULL || place * length >= strlen(common)) return (snt_text){NULL, 0};
  return (snt_text){(const uint8_t *)common + place * length, length};
}
