"""Photographs for people to look at, with the predictions of every member, and their spectra."""

from __future__ import annotations

from ensemble.core.metrics.scores import CLASSES
from ensemble.report.exhibits.criteria import Chosen
from ensemble.report.exhibits.pictures import Picture, picture_of
from ensemble.report.exhibits.selection import Choice, choose, photographs_of
from ensemble.report.exhibits.spectra import Spectrums, spectra_of
from ensemble.report.exhibits.stored import Exhibits, missing_note, read_exhibits
from ensemble.report.facts.material import UNKNOWN, Material
from ensemble.report.render.blocks import Block, Exhibit, Gallery, Section, Text

_TRUTHS = {**dict(enumerate(CLASSES)), UNKNOWN: "not known"}


def photographs(material: Material) -> Section | None:
    """Return the galleries: errors, disagreements, likely label errors, right by one member alone, uncertain."""
    choices = choose(material)
    if not choices:
        return None
    names, stored = photographs_of(choices), read_exhibits(material.store)
    found = {name: picture_of(stored.contents[name]) for name in names if name in stored.contents}
    pictures = {name: picture for name, picture in found.items() if picture is not None}
    spectra = spectra_of(material, names, {name: picture.pixels for name, picture in pictures.items()})
    galleries: list[Block] = [_gallery(choice, pictures, spectra) for choice in choices]
    blocks = (*_missing(stored, names, pictures), *galleries, *_notes(pictures, spectra))
    return Section("photographs", "Photographs", _lead(pictures), blocks)


def _lead(pictures: dict[str, Picture]) -> str:
    how = "an enlargement, its spectrum and every member's prediction" if pictures else "every member's prediction"
    return (
        f"Photographs worth a look; a click on one shows {how}. Numbers are probabilities of fake: from 0.5 on a "
        "photograph is predicted fake. These may be photographs of people: do not pass this file on without the "
        "right to, and remember that a program's error says nothing about a person."
    )


def _missing(stored: Exhibits, names: list[str], pictures: dict[str, Picture]) -> tuple[Text, ...]:
    """Return a note about the photographs that are missing, with the remedy."""
    reasons = dict.fromkeys(stored.contents, "unreadable") | stored.missing
    absent = [reasons.get(name, "not in the store") for name in names if name not in pictures]
    missing = missing_note(absent, len(names), "ensemble report STORE --data PATH")
    return (Text((f"{missing}.",)),) if missing else ()


def _notes(pictures: dict[str, Picture], spectra: Spectrums) -> tuple[Text, ...]:
    """Return notes on how to read pictures and spectra."""
    reduced = sum(picture.reduced for picture in pictures.values())
    smaller = (f"{reduced} large photographs are shown smaller than they are.",) if reduced else ()
    return (Text((*smaller, *spectra.notes)),) if smaller or spectra.notes else ()


def _gallery(choice: Choice, pictures: dict[str, Picture], spectra: Spectrums) -> Gallery:
    exhibits = tuple(_exhibit(choice, chosen, pictures, spectra) for chosen in choice.chosen)
    return Gallery(
        choice.id, choice.title, choice.caption, exhibits, spectra.frequencies, dict(spectra.means), dict(spectra.bands)
    )


def _exhibit(choice: Choice, chosen: Chosen, pictures: dict[str, Picture], spectra: Spectrums) -> Exhibit:
    opinions, row = choice.opinions, chosen.row
    identity, picture = opinions.identity(row), pictures.get(opinions.identity(row))
    height, width = picture.pixels.shape[:2] if picture else (0, 0)
    return Exhibit(
        name=opinions.names[row],
        truth=_TRUTHS[int(opinions.labels[row])],
        picture=picture.uri if picture else "",
        spectrum=spectra.pictures.get(identity, ""),
        curve=spectra.curves.get(identity, ()),
        votes=opinions.votes(row),
        note=chosen.note,
        split=opinions.split,
        width=width,
        height=height,
    )
