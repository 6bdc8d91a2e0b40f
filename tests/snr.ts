// How pure a tone is.

/** Signal to noise, in dB, of samples against the sine of that frequency that fits them best. */
export function snr(samples: ArrayLike<number>, toneHz: number, rateHz: number): number {
  const sine = (i: number) => Math.sin(2 * Math.PI * toneHz * i / rateHz);
  const cosine = (i: number) => Math.cos(2 * Math.PI * toneHz * i / rateHz);
  let [ss, cc, sc, sy, cy] = [0, 0, 0, 0, 0];
  for (let i = 0; i < samples.length; i++) {
    const [s, c, y] = [sine(i), cosine(i), samples[i]];
    ss += s * s;
    cc += c * c;
    sc += s * c;
    sy += s * y;
    cy += c * y;
  }
  const determinant = ss * cc - sc * sc;
  const a = (sy * cc - cy * sc) / determinant;
  const b = (cy * ss - sy * sc) / determinant;
  let signal = 0;
  let noise = 0;
  for (let i = 0; i < samples.length; i++) {
    const fitted = a * sine(i) + b * cosine(i);
    signal += fitted * fitted;
    noise += (samples[i] - fitted) ** 2;
  }
  return 10 * Math.log10(signal / noise);
}
