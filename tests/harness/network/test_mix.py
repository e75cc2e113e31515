"""Populations: presets with sources, files of one's own, and drawing."""

import pytest

from harness.errors import Trouble
from harness.network.mix import mix_of, presets
from harness.network.nat import KINDS


@pytest.mark.parametrize("name", presets())
def test_every_preset_tells_its_source(name):
    """A preset is a mix that sums to 1, and says where it comes from."""
    mix = mix_of(name)
    assert sum(mix.shares.values()) == pytest.approx(1)
    assert mix.source


def test_the_same_seed_draws_the_same_pairs():
    """Draws depend on the seed alone, and begin alike whatever their number."""
    mix = mix_of("design-doc")
    assert mix.draw(7, 50) == mix.draw(7, 50)
    assert mix.draw(7, 50)[:20] == mix.draw(7, 20)
    assert mix.draw(7, 50) != mix.draw(8, 50)


def test_ones_own_mix_comes_from_a_file(tmp_path):
    """A file with one mix needs no name; one with several does."""
    file = tmp_path / "mine.toml"
    file.write_text("[mine]\nshares = { symmetric = 0.5, tcp443only = 0.5 }\n")
    assert mix_of(str(file)).shares == {KINDS["symmetric"]: 0.5, KINDS["tcp443only"]: 0.5}
    file.write_text("[a]\nshares = { symmetric = 1 }\n[b]\nshares = { fullcone = 1 }\n")
    assert mix_of(f"{file}:b").name == "b"
    with pytest.raises(Trouble, match="holds the mixes a, b: name one of them"):
        mix_of(str(file))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[m]\nshares = { symmetric = 0.5 }", "the shares of the mix 'm' sum to 0.5: make them sum to 1"),
        ("[m]\nshares = { nosuch = 1 }", "unknown kind 'nosuch'"),
        ("[m]\nshares = { symmetric = 2, fullcone = -1 }", "the share of symmetric in the mix 'm' is 2"),
        ("[m]\nshares = { symmetric = true }", "is True"),
        ("[m]\nshare = { symmetric = 1 }", "the mix 'm' has no shares"),
        ("[m]\nshares = { symmetric = 1 }\nweight = 2", "unknown key 'weight'"),
        ("m = ", "is no TOML"),
        ("m = 3", "the mix 'm' has no shares"),
        ("", "holds the mixes \\(none\\)"),
    ],
)
def test_a_bad_file_is_one_clear_sentence(tmp_path, text, sentence):
    """Whatever is wrong with a mix is said in one sentence."""
    file = tmp_path / "bad.toml"
    file.write_text(text)
    with pytest.raises(Trouble, match=sentence):
        mix_of(str(file))


def test_an_unknown_name_and_a_missing_file_are_told():
    """The presets are named."""
    with pytest.raises(Trouble, match="there is no mix 'nosuch': use tailscale-like, design-doc"):
        mix_of("nosuch")
    with pytest.raises(Trouble, match=r"nosuch\.toml cannot be read"):
        mix_of("nosuch.toml")
