"""Texts that are spoken together are what they are alone, in whatever order they come."""

import numpy as np

from hf_vits.synthesis.run import load_voice, row_generator, speak


def test_texts_of_several_sentences_may_stand_anywhere_in_a_batch(make_voice, speakers):
    pipe = load_voice(str(make_voice(**speakers)))
    texts, who = ["Hi", "A hope. Feed me. No", "A map. He came home"], [0, 1, 2]
    together = speak(pipe, texts, who, [row_generator(0, row) for row in range(3)], {"noise_scale": 0.9}, 0.1)
    for row, text in enumerate(texts):
        alone = pipe(text, speaker_id=who[row], generator=row_generator(0, row), noise_scale=0.9, pause=0.1)["audio"]
        np.testing.assert_allclose(together[row], alone, rtol=0, atol=1e-5)


def test_the_noise_of_a_row_depends_on_the_seed_and_its_number():
    first = [row_generator(seed, row).initial_seed() for seed, row in [(0, 1), (1, 0), (0, 1), (0, 2)]]
    assert first[0] == first[2] and len(set(first)) == 3
