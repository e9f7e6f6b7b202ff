import { reader, seek } from "./record";

/** What is known of a client that showed a certificate in the TLS handshake. */
@final
export class ClientCertificate {
  constructor(
    /** The subject's distinguished name (RFC 4514), for example `CN=alice,O=Example`. */
    readonly subject: string,
    /** The subject's alternative names with their kind, for example
     * `URI:spiffe://example.org/a`. */
    readonly names: string[],
    /** SHA-256 of the certificate, in lower-case hexadecimal digits. */
    readonly sha256: string,
    /** Whether an authority of the listener has signed it, and it was valid at the handshake. */
    readonly verified: bool,
  ) {}
}

/** An `option<client-certificate>` field. */
export function clientCertificateField(field: i32): ClientCertificate | null {
  if (!seek(field) || reader.nil()) return null;
  if (reader.array() < 4) throw new Error("a client-certificate has four fields");
  const subject = reader.string();
  const names: string[] = [];
  for (let left = reader.array(); left > 0; left--) names.push(reader.string());
  const sha256 = reader.string();
  return new ClientCertificate(subject, names, sha256, reader.bool());
}
