(function () {
  function method(holder, name, f) {
    if (!holder[name]) Object.defineProperty(holder, name, {value: f, writable: true, configurable: true});
  }
  var date = Date.prototype;
  method(date, 'getYear', function () { return this.getFullYear() - 1900; });
  method(date, 'setYear', function (year) {
    year = Number(year);
    return this.setFullYear(year >= 0 && year <= 99 ? 1900 + Math.floor(year) : year);
  });
  method(date, 'toGMTString', date.toUTCString);
  var marks = {big: 'big', blink: 'blink', bold: 'b', fixed: 'tt', italics: 'i', small: 'small', strike: 'strike', sub: 'sub', sup: 'sup'};
  Object.keys(marks).forEach(function (name) {
    method(String.prototype, name, function () { return '<' + marks[name] + '>' + this + '</' + marks[name] + '>'; });
  });
  var named = {anchor: 'a name', fontcolor: 'font color', fontsize: 'font size', link: 'a href'};
  Object.keys(named).forEach(function (name) {
    var element = named[name].split(' ')[0];
    method(String.prototype, name, function (value) {
      return '<' + named[name] + '="' + String(value).split('"').join('&quot;') + '">' + this + '</' + element + '>';
    });
  });
  function accessor(kind) {
    return function (name, f) {
      var how = {enumerable: true, configurable: true};
      how[kind] = f;
      Object.defineProperty(this, name, how);
    };
  }
  function look(kind) {
    return function (name) {
      for (var o = this; o; o = Object.getPrototypeOf(o)) {
        var found = Object.getOwnPropertyDescriptor(o, name);
        if (found) return found[kind];
      }
    };
  }
  method(Object.prototype, '__defineGetter__', accessor('get'));
  method(Object.prototype, '__defineSetter__', accessor('set'));
  method(Object.prototype, '__lookupGetter__', look('get'));
  method(Object.prototype, '__lookupSetter__', look('set'));
})
