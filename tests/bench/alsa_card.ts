// alsa_card.c as a PCM that programs can find, and what it reports.

import { compile } from "./build.ts";

/** The card. */
export class AlsaCard {
  /** The PCM's name. */
  readonly pcm = "card";
  readonly #report: string;

  private constructor(report: string, readonly env: Readonly<Record<string, string>>) {
    this.#report = report;
  }

  /**
   * Makes it.
   *
   * @param folder where its files go
   */
  static async create(folder: string): Promise<AlsaCard> {
    const library = await compile("alsa_card", folder, "-shared", "-fPIC", "-DPIC", "-lasound");
    const report = `${folder}/alsa_card.report`;
    const configuration = `${folder}/asound.conf`;
    await Deno.writeTextFile(report, "");
    await Deno.writeTextFile(
      configuration,
      `pcm_type.ossp_card { lib "${library}" }
       pcm.card { type ossp_card report "${report}" }
      `,
    );
    return new AlsaCard(report, { ALSA_CONFIG_PATH: configuration });
  }

  #values(name: string): number[] {
    const lines = Deno.readTextFileSync(this.#report).split("\n").map((line) => line.split(" "));
    return lines.filter((words) => words[0] === name).map((words) => Number(words[1]));
  }

  /** When clicks were heard, in milliseconds since the epoch. */
  clicks(): number[] {
    return this.#values("click");
  }

  /** When it had nothing to play, likewise. */
  gaps(): number[] {
    return this.#values("gap");
  }
}
